/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest RAM under `memory:`: a store to each page, and a call of the code in it. A refusal is a permission fault of
 * EL1's own, and leaves memory as it was. Without such a section both work everywhere.
 */
#include "check.h"
#include "console.h"
#include "cpu.h"
#include "trap.h"

#define RET  0xd65f03c0UL /* RET, then UDF #0 */
#define ELSE 0xd503201fUL /* NOP */

struct guard {
	u64 at;
	struct expect write, exec;
};

#define GUARD(n) { .at = GUARD_AT_##n, .write = EXPECT_GUARD_##n##_W, .exec = EXPECT_GUARD_##n##_X },
/* Two pages of one block, the first and the last page of another: as probes.txt has them. */
#define GUARD_AT_0 0x4e000000UL
#define GUARD_AT_1 0x4e001000UL
#define GUARD_AT_2 0x4e200000UL
#define GUARD_AT_3 0x4e3ff000UL
static const struct guard guards[] = { GUARD(0) GUARD(1) GUARD(2) GUARD(3) };

static bool aborted(u32 ec, u64 far)
{
	return check_abort(ec, FSC_PERMISSION_L3, far);
}

/* True if the store of `width` bytes came out as it must. */
static bool store(const struct guard *g, unsigned log2, u64 value)
{
	u64 at = g->at + (8 - (1UL << log2)), before = cpu_read(at, log2), after;
	bool done = TRY(cpu_write(at, log2, value)), allowed = g->write.action != ACT_DENY;
	u64 bits = log2 == 3 ? ~0UL : (1UL << (8 << log2)) - 1;

	after = cpu_read(at, log2);
	if (allowed ? done && after == (value & bits) : !done && aborted(EC_DABT, at) && after == before)
		return true;
	check_fail("RAM", "0x%lx: a store of %u bytes, %s: found 0x%lx after 0x%lx, ESR 0x%lx FAR 0x%lx", at, 1U << log2,
		   check_word(&g->write), after, before, trap_caught.esr, trap_caught.far);
	return false;
}

/* Code that could not be written is zeros: UDF, UNDEFINED if it is fetched at all. */
static bool call(const struct guard *g)
{
	void (*code)(void) = (void (*)(void))g->at;
	bool written = (u32)cpu_read(g->at, 2) == (u32)RET, done = TRY(code());

	if (g->exec.action == ACT_DENY ? !done && aborted(EC_IABT, g->at) :
	    written ? done : !done && trap_caught.sync == 1 && trap_ec() == EC_UNKNOWN)
		return true;
	check_fail("RAM", "0x%lx: a call, %s: ESR 0x%lx FAR 0x%lx", g->at, check_word(&g->exec), trap_caught.esr, trap_caught.far);
	return false;
}

static void run_guard(const struct guard *g)
{
	if (!expect_returns(&g->write) || !expect_returns(&g->exec)) {
		check_note("RAM", "0x%lx: not tried: the guest would not return", g->at);
		return;
	}
	for (unsigned log2 = 0; log2 < 4; log2++)
		if (!store(g, log2, ELSE << 32 | ELSE) || !store(g, log2, RET))
			return;
	if (call(g))
		check_pass("RAM", "0x%lx: stores %s, calls %s", g->at, check_word(&g->write), check_word(&g->exec));
}

CHECKS(117, guards)
{
	for (unsigned n = 0; n < ARRAY_SIZE(guards); n++)
		run_guard(&guards[n]);
}
