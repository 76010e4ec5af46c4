/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits: floods each access that the policy limits until `over` decides; after a rest it must work again. */
#include "calls.h"
#include "check.h"
#include "cpu.h"
#include "sysregs.h"
#include "trap.h"

/* One access, within the limit or beyond it. */
enum outcome { WITHIN, BEYOND, WRONG };
typedef enum outcome once_fn(const void *what);

static enum outcome read_once(const void *what)
{
	const struct sysreg_row *row = what;
	u64 got = POISON;
	bool done = TRY(got = row->read());

	if (sysregs_read_is_right(row, done, got))
		return WITHIN;
	return !done && check_refused(REFUSE_UNDEF, INSN_MRS) ? BEYOND : WRONG;
}

static enum outcome write_once(const void *what)
{
	const struct sysreg_row *row = what;
	bool done = TRY(row->write(row->read ? 0 : row->bits));

	if (done)
		return WITHIN;
	return check_refused(REFUSE_UNDEF, INSN_MSR) || check_refused(REFUSE_UNDEF, INSN_SYS) ? BEYOND : WRONG;
}

static enum outcome call_once(const void *what)
{
	const struct call *c = what;
	struct call_result r = calls_make(c);

	/* If the call itself answers NOT_SUPPORTED, the two look alike; limit another call to see it. */
	if (r.done && r.changed == 31 && (s64)r.x0 == -1)
		return BEYOND;
	return calls_is_right(c, &r) ? WITHIN : WRONG;
}

struct limited {
	u64 ipa;
	struct expect e;
};

static enum outcome device_once(const void *what)
{
	const struct limited *l = what;
	u64 got = POISON;

	if (!TRY(got = cpu_read_or(l->ipa, 2, POISON)))
		return check_refused(REFUSE_SEA, INSN_ANY) ? BEYOND : WRONG;
	return l->e.action != ACT_VALUE || got == (l->e.value & 0xffffffff) ? WITHIN : WRONG;
}

/*
 * A second's worth may come at once, and more during the flood. The checks before may have used some of it, so the
 * flood starts after a rest that fills it up.
 */
static void flood(const char *name, const struct expect *e, once_fn *once, const void *what)
{
	u64 second = cpu_ticks_per_second(), start, elapsed, most;
	enum outcome o = WITHIN;
	u64 n = 0;

	if (e->over != ACT_DENY || e->action == ACT_DENY) {
		check_note(name, "not flooded: %s, limit %u/s, over: %s", check_word(e), e->limit,
			   e->over == ACT_DENY ? "deny" : e->over == ACT_KILL ? "kill" : "pause");
		return;
	}
	cpu_wait_us(1000000);
	start = cpu_ticks();
	while (o == WITHIN && cpu_ticks() - start < 2 * second) {
		o = once(what);
		n += o == WITHIN;
	}
	elapsed = cpu_ticks() - start;
	/* EL2 hides the time that it spends on its log, so the limit may refill unseen. */
	most = 2 * (u64)e->limit + elapsed * e->limit / second + 1;
	if (o == WRONG) {
		check_fail(name, "limit %u/s: expected %s or refused, got ESR 0x%lx", e->limit, check_word(e),
			   trap_caught.esr);
		return;
	}
	if (o != BEYOND || n + 1 < e->limit || n > most) {
		check_fail(name, "limit %u/s: expected %u to %lu %s, then refused, got %lu", e->limit, e->limit, most,
			   check_word(e), n);
		return;
	}
	cpu_wait_us(2000000 / e->limit);
	o = once(what);
	if (o == WITHIN)
		check_pass(name, "limit %u/s: %lu %s, the next refused, %s after a rest", e->limit, n, check_word(e),
			   check_word(e));
	else
		check_fail(name, "limit %u/s: expected %s after a rest, got another refusal", e->limit, check_word(e));
}

/* The first of its function: the others share its limit. */
static bool is_first(u32 i)
{
	for (u32 j = 0; j < i; j++)
		if (calls[j].id == calls[i].id && calls[j].run == calls[i].run)
			return false;
	return true;
}

CHECKS(110, limits)
{
	static const struct limited window = { GUEST_LIMITED, EXPECT_LIMITED_R4 };
	static const struct expect counter = EXPECT_CNTVCT_EL0_R;

	if (counter.action != ACT_ALLOW) {
		check_note("limits", "not tried: there is no clock, CNTVCT_EL0 is %s", check_word(&counter));
		return;
	}
	for (u32 i = 0; i < sysregs_n_rows; i++) {
		const struct sysreg_row *row = &sysregs_rows[i];

		if (row->read && row->r.limit)
			flood(row->name, &row->r, read_once, row);
		if (row->write && row->w.limit && (!row->read || row->w.action == ACT_IGNORE))
			flood(row->name, &row->w, write_once, row);
	}
	for (u32 i = 0; i < calls_n; i++)
		if (calls[i].e.limit && expect_returns(&calls[i].e) && is_first(i))
			flood(calls[i].what, &calls[i].e, call_once, &calls[i]);
	if (window.e.limit)
		flood("limited", &window.e, device_once, &window);
	else
		check_note("limited", "no limit in this policy: %s", check_word(&window.e));
}
