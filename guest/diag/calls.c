/* SPDX-License-Identifier: Apache-2.0 */
/* Every action of the sections `hvc` and `smc`, each call with all its registers watched. */
#include "calls.h"
#include "callnames.h"
#include "check.h"
#include "trap.h"

#define ROW(probe, text, how, fid, a1, a2, a3, ...) ROW_(probe, text, how, fid, a1, a2, a3, __VA_ARGS__)
#define ROW_(probe, text, how, fid, a1, a2, a3, low, high)                                              \
	{ .name = #how, .what = text, .run = insn_##how, .id = (fid), .x1 = (a1), .x2 = (a2), .x3 = (a3), \
	  .e = EXPECT_##probe, .lo = (low), .hi = (high) },
const struct call calls[] = { GUEST_CALLS(ROW) };
const u32 calls_n = ARRAY_SIZE(calls);

struct call_result calls_make(const struct call *c)
{
	struct call_result r;
	u64 x[31];

	insn_fill(x);
	x[0] = c->id;
	x[1] = c->x1;
	x[2] = c->x2;
	x[3] = c->x3;
	r.done = TRY(c->run(x));
	r.x0 = x[0];
	r.changed = x[1] != c->x1 ? 1 : x[2] != c->x2 ? 2 : x[3] != c->x3 ? 3 : 31;
	for (unsigned n = 4; n < 31 && r.changed == 31; n++)
		if (x[n] != insn_pattern(n))
			r.changed = n;
	return r;
}

static s64 refusal_number(enum refusal refusal)
{
	return refusal == REFUSE_DENIED ? -3 : refusal == REFUSE_INVALID_PARAMETERS ? -2 : -1;
}

bool calls_is_right(const struct call *c, const struct call_result *r)
{
	bool hvc = c->run == insn_hvc;

	if (r->changed != 31)
		return false;
	if (c->e.action == ACT_DENY && c->e.refusal == REFUSE_UNDEF)
		return !r->done && r->x0 == c->id &&
		       (hvc ? check_refused(REFUSE_UNDEF, INSN_HVC) : check_refused(REFUSE_UNDEF, INSN_SMC));
	if (c->e.action == ACT_DENY)
		return r->done && (s64)r->x0 == refusal_number(c->e.refusal);
	if (c->e.action == ACT_VALUE)
		return r->done && r->x0 == c->e.value;
	return r->done && (s64)r->x0 >= c->lo && (s64)r->x0 <= c->hi;
}

static void run_call(const struct call *c)
{
	struct call_result r;

	if (!expect_returns(&c->e) || !expect_affords(&c->e, 20)) {
		check_untried(c->name, c->what, &c->e);
		return;
	}
	r = calls_make(c);
	if (calls_is_right(c, &r))
		check_pass(c->name, "%s: %s, x0 = 0x%lx", c->what, check_word(&c->e), r.x0);
	else if (r.changed != 31)
		check_fail(c->name, "%s: expected x%u as it went in, got another", c->what, r.changed);
	else if (!r.done)
		check_fail(c->name, "%s: expected %s, got ESR 0x%lx", c->what, check_word(&c->e), trap_caught.esr);
	else
		check_fail(c->name, "%s: expected %s, got x0 = 0x%lx", c->what, check_word(&c->e), r.x0);
}

/*
 * An immediate other than zero belongs to no call: NOT_SUPPORTED or UNDEFINED, never function x0. Function 0 would give
 * the ID word, which is neither.
 */
static void run_immediate(const char *name, insn_fn *run)
{
	struct call c = { .name = name, .run = run, .id = HV_GET_ID };
	struct call_result r = calls_make(&c);
	bool undefined = !r.done && (check_refused(REFUSE_UNDEF, INSN_HVC) || check_refused(REFUSE_UNDEF, INSN_SMC));
	bool served = r.done && r.x0 != ~0UL;

	if (r.changed == 31 && !served && (r.done || undefined))
		check_pass(name, "it is nobody's call: %s", r.done ? "NOT_SUPPORTED" : "UNDEF");
	else
		check_fail(name, "expected NOT_SUPPORTED or UNDEF, got x0 = 0x%lx, x%u changed", r.x0, r.changed);
}

CHECKS(050, calls)
{
	static const char text[8] = "8 bytes\n";
	volatile char *buffer = (volatile char *)GUEST_BUFFER;

	/* The text of HV_CONSOLE_WRITE: a line of 8 bytes, then, in the long one, CRs up to the 4096th byte. */
	for (u32 i = 0; i < 4096; i++)
		buffer[i] = i < sizeof(text) ? text[i] : '\r';
	buffer[4095] = '\n';
	for (u32 i = 0; i < calls_n; i++)
		run_call(&calls[i]);
	run_immediate("hvc #1", insn_hvc_1);
	run_immediate("smc #1", insn_smc_1);
}
