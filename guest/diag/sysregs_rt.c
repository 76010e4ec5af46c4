/* SPDX-License-Identifier: Apache-2.0 */
/* Each of x0 to x30 and XZR as the Rt of a trapped access: only the right register changes. */
#include "check.h"
#include "insn.h"
#include "trap.h"

/* Both trap under every policy (MDCR_EL2.TDA, HCR_EL2.TACR are always set), so this tests EL2's register file. */
static const struct expect bvr_r = EXPECT_DBGBVR0_EL1_R, bvr_w = EXPECT_DBGBVR0_EL1_W;
static const struct expect actlr_r = EXPECT_ACTLR_EL1_R;

/* A word-aligned virtual address that differs for each n; for XZR it is zero. */
static u64 address(unsigned n)
{
	return n == 31 ? 0 : 0x0000123400000000UL + n * 0x01010104UL;
}

/* Runs the read with Rt = n. True if only Rt changed, in the policy's way; *got is its value. */
static bool read_rt(insn_fn *family, unsigned n, const struct expect *e, u64 *got)
{
	u64 x[31];
	bool done;

	insn_fill(x);
	done = TRY(insn_rt(family, n)(x));
	if (insn_changed(x, n, n) != 31)
		return false;
	*got = n == 31 ? 0 : x[n];
	if (e->action == ACT_DENY)
		return check_refused(e->refusal, INSN_MRS) && (n == 31 || x[n] == insn_pattern(n));
	return done && (n == 31 || e->action != ACT_VALUE || x[n] == e->value);
}

static bool write_rt(unsigned n)
{
	u64 x[31];
	bool done;

	insn_fill(x);
	if (n < 31)
		x[n] = address(n);
	done = TRY(insn_rt(insn_msr_dbgbvr0, n)(x));
	if (insn_changed(x, n, n) != 31 || (n < 31 && x[n] != address(n)))
		return false;
	return bvr_w.action == ACT_DENY ? check_refused(bvr_w.refusal, INSN_MSR) : done;
}

static void run_bvr(void)
{
	bool both = bvr_r.action == ACT_ALLOW && bvr_w.action == ACT_ALLOW;
	u64 got;

	for (unsigned n = 0; n < 32; n++) {
		if (!write_rt(n) || !read_rt(insn_mrs_dbgbvr0, n, &bvr_r, &got)) {
			check_fail("every Rt", "DBGBVR0_EL1 with x%u: expected read %s, write %s, got ESR 0x%lx", n,
				   check_word(&bvr_r), check_word(&bvr_w), trap_caught.esr);
			return;
		}
		/* XZR wrote zero; x0 reads it back. */
		if (both && n == 31 && !read_rt(insn_mrs_dbgbvr0, 0, &bvr_r, &got))
			got = POISON;
		if (both && got != address(n)) {
			check_fail("every Rt", "DBGBVR0_EL1 by x%u: expected 0x%lx, got 0x%lx", n, address(n), got);
			return;
		}
	}
	check_pass("every Rt", "DBGBVR0_EL1 by x0..x30 and xzr: read %s, write %s, no other register changed",
		   check_word(&bvr_r), check_word(&bvr_w));
}

static void run_actlr(void)
{
	u64 got;

	for (unsigned n = 0; n < 32; n++) {
		if (read_rt(insn_mrs_actlr, n, &actlr_r, &got))
			continue;
		check_fail("every Rt", "ACTLR_EL1 to x%u: expected %s, got 0x%lx", n, check_word(&actlr_r), got);
		return;
	}
	check_pass("every Rt", "ACTLR_EL1 to x0..x30 and xzr: read %s, no other register changed",
		   check_word(&actlr_r));
}

CHECKS(020, sysregs_rt)
{
	if (expect_returns(&bvr_r) && expect_returns(&bvr_w) && expect_affords(&bvr_r, 100) &&
	    expect_affords(&bvr_w, 100))
		run_bvr();
	if (expect_returns(&actlr_r) && expect_affords(&actlr_r, 100))
		run_actlr();
}
