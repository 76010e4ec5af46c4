/* SPDX-License-Identifier: Apache-2.0 */
/* HV_GET_STATUS as a witness: k accesses that trap make k decisions, k others make none. */
#include "callnames.h"
#include "check.h"
#include "cpu.h"
#include "trap.h"

#define TIMES 16

enum { DECISIONS, LAST_SEQ, LOST, DENIALS };

static u64 status(u64 selector)
{
	return cpu_hvc(HV_GET_STATUS, selector, 0, 0);
}

static void read_actlr(void) { TRY(cpu_sysreg(actlr_el1)); }
static void read_pmccntr(void) { TRY(cpu_sysreg(pmccntr_el0)); }
static void read_tpidr(void) { TRY(cpu_sysreg(tpidr_el0)); }
static void read_scratch(void) { TRY(cpu_read(GUEST_SCRATCH + 4, 2)); }
static void read_scratch_8(void) { TRY(cpu_read(GUEST_SCRATCH + 8, 2)); }
static void write_scratch(void) { TRY(cpu_write(GUEST_SCRATCH + 4, 2, 0)); }
static void call_vendor(void) { TRY(cpu_hvc(VENDOR, 0, 0, 0)); }
static void call_secure(void) { TRY(cpu_smc(VENDOR, 0, 0, 0)); }

static const struct deed {
	const char *name;
	void (*once)(void);
	enum { NEVER, ALWAYS, UNLESS_ALLOWED } traps;
	struct expect e;
	bool unserved; /* NOT_SUPPORTED even if audit mode only logs that it would be denied */
} deeds[] = {
	{ "reads of ACTLR_EL1", read_actlr, ALWAYS, EXPECT_ACTLR_EL1_R, false },
	{ "reads of PMCCNTR_EL0", read_pmccntr, ALWAYS, EXPECT_PMCCNTR_EL0_R, false },
	{ "reads of TPIDR_EL0", read_tpidr, NEVER, EXPECT_TPIDR_EL0_R, false },
	{ "reads of scratch", read_scratch, UNLESS_ALLOWED, EXPECT_SCRATCH_04_R4, false },
	{ "writes of scratch", write_scratch, UNLESS_ALLOWED, EXPECT_SCRATCH_04_W4, false },
	{ "reads of scratch+0x8", read_scratch_8, UNLESS_ALLOWED, EXPECT_SCRATCH_08_R4, false },
	{ "HVC 0x86000001", call_vendor, ALWAYS, EXPECT_CALL_VENDOR, true },
	{ "SMC 0x86000001", call_secure, ALWAYS, EXPECT_SMC_VENDOR, true },
};

static u64 decisions_of(void (*once)(void))
{
	u64 before = status(DECISIONS);

	for (u32 i = 0; i < TIMES; i++)
		once();
	return status(DECISIONS) - before - 1; /* the second call counts itself */
}

/* An exception without EL2's part; but reading ESR_EL1 and FAR_EL1 in the guest's vector may trap (HCR_EL2.TRVM). */
static void break_here(void) { TRY(asm volatile("brk #0" : : : "memory")); }

static void run_deed(const struct deed *d)
{
	u64 decisions, denials, want_decisions, want_denials;

	/* The policy must allow the access: otherwise it does trap. */
	if (!expect_returns(&d->e) || !expect_affords(&d->e, 4 * TIMES) ||
	    (d->traps != ALWAYS && (d->e.action == ACT_ALLOW) != (d->traps == NEVER))) {
		check_untried("status", d->name, &d->e);
		return;
	}
	want_decisions = d->traps == NEVER ? 0 : TIMES;
	want_denials = d->e.action == ACT_DENY ? TIMES : 0;
	denials = status(DENIALS);
	decisions = decisions_of(d->once);
	denials = status(DENIALS) - denials;
	if (trap_caught.sync)
		decisions -= decisions_of(break_here);
	if (decisions == want_decisions && (denials == want_denials || (d->unserved && denials == 0)))
		check_pass("status", "%u %s: %lu decisions, %lu denials", TIMES, d->name, decisions, denials);
	else
		check_fail("status", "%u %s: expected %lu decisions, %lu denials, got %lu, %lu", TIMES, d->name,
			   want_decisions, want_denials, decisions, denials);
}

CHECKS(060, status)
{
	static const struct expect selectors[] = { EXPECT_GET_STATUS_0, EXPECT_GET_STATUS_1, EXPECT_GET_STATUS_2,
						   EXPECT_GET_STATUS_3 };
	u64 seq;

	for (u32 i = 0; i < ARRAY_SIZE(selectors); i++) {
		if (expect_works(&selectors[i]) && expect_affords(&selectors[i], 100))
			continue;
		check_untried("status", "HV_GET_STATUS", &selectors[i]);
		return;
	}
	for (u32 i = 0; i < ARRAY_SIZE(deeds); i++)
		run_deed(&deeds[i]);
	seq = status(LAST_SEQ);
	check_true("status", "the log's sequence does not run backwards", status(LAST_SEQ) >= seq, status(LAST_SEQ));
}
