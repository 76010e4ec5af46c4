/* SPDX-License-Identifier: Apache-2.0 */
/* Every form of load and store on a device: each Rt, sign extension, and the forms that give EL2 no syndrome. */
#include "check.h"
#include "cpu.h"
#include "insn.h"
#include "trap.h"
#include "windows.h"

/* One family of insn.S. `sign`: width in bits that the loaded sign is extended to; 0: none. */
struct form {
	const char *name;
	insn_fn *family;
	unsigned log2, sign;
};
static const struct form loads[] = {
	{ "ldrb", insn_ldrb, 0, 0 },      { "ldrh", insn_ldrh, 1, 0 },      { "ldr w", insn_ldrw, 2, 0 },
	{ "ldr x", insn_ldrx, 3, 0 },     { "ldrsb w", insn_ldrsbw, 0, 32 }, { "ldrsb x", insn_ldrsbx, 0, 64 },
	{ "ldrsh w", insn_ldrshw, 1, 32 }, { "ldrsh x", insn_ldrshx, 1, 64 }, { "ldrsw x", insn_ldrswx, 2, 64 },
};
static const struct form stores[] = {
	{ "strb", insn_strb, 0, 0 }, { "strh", insn_strh, 1, 0 },
	{ "str w", insn_strw, 2, 0 }, { "str x", insn_strx, 3, 0 },
};

/* Loads by log2 of the width. The address must be aligned. */
static const u64 target[4] = { GUEST_SCRATCH + 0x04, GUEST_SCRATCH + 0x04, GUEST_SCRATCH + 0x04, GUEST_SCRATCH + 0x20 };
static const struct expect constant[4] = { EXPECT_SCRATCH_04_R1, EXPECT_SCRATCH_04_R2, EXPECT_SCRATCH_04_R4,
					   EXPECT_SCRATCH_20_R8 };
static const struct expect sink[4] = { EXPECT_SCRATCH_04_W1, EXPECT_SCRATCH_04_W2, EXPECT_SCRATCH_04_W4,
				       EXPECT_SCRATCH_20_W8 };

/* The register after a load of `value`. */
static u64 extend(const struct form *f, u64 value)
{
	unsigned from = 8U << f->log2;

	if (from < 64)
		value &= BIT(from) - 1;
	if (f->sign && (value >> (from - 1)) & 1)
		value |= ~0UL << from;
	return f->sign == 32 ? value & 0xffffffff : value;
}

static bool load_rt(const struct form *f, unsigned rt, u64 address, const struct expect *e, u64 *got)
{
	unsigned base = INSN_BASE(rt);
	u64 x[31];
	bool done;

	insn_fill(x);
	x[base] = address;
	done = TRY(insn_rt(f->family, rt)(x));
	*got = rt == 31 ? 0 : x[rt];
	if (insn_changed(x, rt, base) != 31 || x[base] != address)
		return false;
	if (e->action == ACT_DENY)
		return check_refused(e->refusal, INSN_ANY) &&
		       (e->refusal == REFUSE_SERROR || rt == 31 || *got == insn_pattern(rt));
	return done && (rt == 31 || e->action != ACT_VALUE || *got == extend(f, e->value));
}

static bool store_rt(const struct form *f, unsigned rt, u64 address, const struct expect *e)
{
	unsigned base = INSN_BASE(rt);
	u64 x[31];
	bool done;

	insn_fill(x);
	x[base] = address;
	done = TRY(insn_rt(f->family, rt)(x));
	if (insn_changed(x, base, base) != 31 || x[base] != address)
		return false;
	return e->action == ACT_DENY ? check_refused(e->refusal, INSN_ANY) : done;
}

static bool usable(const struct expect *e)
{
	return (e->action == ACT_VALUE || e->action == ACT_IGNORE || e->action == ACT_DENY) && expect_affords(e, 500);
}

static void run_loads(void)
{
	u64 got;

	for (u32 i = 0; i < ARRAY_SIZE(loads); i++) {
		const struct form *f = &loads[i];
		const struct expect *e = &constant[f->log2];
		unsigned rt = 0;

		while (usable(e) && rt < 32 && load_rt(f, rt, target[f->log2], e, &got))
			rt++;
		if (!usable(e))
			check_untried(f->name, "scratch", e);
		else if (rt < 32)
			check_fail(f->name, "x%u: expected %s 0x%lx, got 0x%lx", rt, check_word(e), extend(f, e->value),
				   got);
		else if (e->action == ACT_VALUE)
			check_pass(f->name, "x0..x30 and zr: %s 0x%lx", check_word(e), extend(f, e->value));
		else
			check_pass(f->name, "x0..x30 and zr: %s, no register changed", check_word(e));
	}
}

static void run_stores(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(stores); i++) {
		const struct form *f = &stores[i];
		const struct expect *e = &sink[f->log2];
		unsigned rt = 0;

		while (usable(e) && rt < 32 && store_rt(f, rt, target[f->log2], e))
			rt++;
		if (!usable(e))
			check_untried(f->name, "scratch", e);
		else if (rt < 32)
			check_fail(f->name, "x%u: expected %s, got ESR 0x%lx", rt, check_word(e), trap_caught.esr);
		else
			check_pass(f->name, "x0..x30 and zr: %s, no register changed", check_word(e));
	}
}

/*
 * A place that keeps written values: the distributor's priority bytes of four unused interrupts. Every GIC keeps five
 * bits of a priority.
 */
#define PRIORITIES (GUEST_GICD + 0x400 + 64)

static bool priorities_rt(unsigned rt)
{
	static const struct expect works = { .action = ACT_EMULATE };
	u64 stored = rt == 31 ? 0 : insn_pattern(rt), got;

	/* The word, then one byte of it. XZR clears it; x3 holds zeroes and signs. */
	if (!store_rt(&stores[2], rt, PRIORITIES, &works) || !load_rt(&loads[2], rt, PRIORITIES, &works, &got))
		return false;
	if (rt == 31)
		return (cpu_read(PRIORITIES, 2) & 0xf8f8f8f8) == 0;
	if ((got & 0xf8f8f8f8) != (stored & 0xf8f8f8f8) || got >> 32)
		return false;
	return store_rt(&stores[0], rt, PRIORITIES + 2, &works) &&
	       load_rt(&loads[0], rt, PRIORITIES + 2, &works, &got) && (got & 0xf8) == (stored & 0xf8) && got <= 0xff;
}

static void run_priorities(void)
{
	static const struct expect r4 = EXPECT_GICD_PRIORITY_R4, w4 = EXPECT_GICD_PRIORITY_W4;
	static const struct expect r1 = EXPECT_GICD_PRIORITY_R1, w1 = EXPECT_GICD_PRIORITY_W1;
	unsigned rt = 0;
	u64 sign;

	if (!expect_works(&r4) || !expect_works(&w4) || !expect_works(&r1) || !expect_works(&w1)) {
		check_note("GICD_IPRIORITYR", "not tried: read %s, write %s", check_word(&r4), check_word(&w4));
		return;
	}
	while (rt < 32 && priorities_rt(rt))
		rt++;
	if (rt < 32) {
		check_fail("GICD_IPRIORITYR", "by x%u: expected what was stored, got 0x%lx", rt,
			   cpu_read(PRIORITIES, 2));
		return;
	}
	check_pass("GICD_IPRIORITYR", "words and bytes by x0..x30 and zr arrive and come back");
	cpu_write(PRIORITIES, 0, 0xf8);
	load_rt(&loads[5], 3, PRIORITIES, &r1, &sign);
	check_true("GICD_IPRIORITYR", "ldrsb x extends the sign of an emulated byte", (sign & ~7UL) == ~7UL, sign);
	cpu_write(PRIORITIES, 2, 0);
}

/* Loads and stores that reach EL2 without Rt, width and direction (ESR_EL2.ISS.ISV = 0), and that it makes all the same. */
static const struct expect r00 = EXPECT_SCRATCH_00_R4, r04 = EXPECT_SCRATCH_04_R4, r08 = EXPECT_SCRATCH_08_R4;
static const struct expect w00 = EXPECT_SCRATCH_00_W4, w04 = EXPECT_SCRATCH_04_W4, w08 = EXPECT_SCRATCH_08_W4;
static const struct undescribed {
	const char *name;
	insn_fn *run;
	u64 base, first, step;          /* in bytes; of the window, of the base, behind it */
	const struct expect *one, *other; /* of the words that are accessed, w3's and w4's */
	bool load;
} undescribed[] = {
	{ "ldr, post-indexed", insn_ldr_post, 4, 0, 4, &r04, NULL, true },
	{ "str, pre-indexed", insn_str_pre, 0, 4, 4, &w04, NULL, false },
	{ "ldp", insn_ldp, 0, 0, 0, &r00, &r04, true },
	{ "ldp, post-indexed", insn_ldp_post, 0, 0, 8, &r00, &r04, true },
	{ "ldp, half of it", insn_ldp_post, 4, 0, 8, &r04, &r08, true },
	{ "stp", insn_stp, 0, 0, 0, &w00, &w04, false },
	{ "stp, half of it", insn_stp, 4, 0, 0, &w04, &w08, false },
};

static bool plain(const struct expect *e)
{
	return !e || (usable(e) && (e->action != ACT_DENY || e->refusal == REFUSE_SEA));
}

/* One after the other, up to the first that is refused: then no register has changed. */
static void run_undescribed(const struct undescribed *u)
{
	const struct expect *refused = u->one->action == ACT_DENY ? u->one : u->other && u->other->action == ACT_DENY ? u->other : NULL;
	u64 address = GUEST_SCRATCH + u->base + u->first, x[31], base;
	bool right, done;

	insn_fill(x);
	x[1] = GUEST_SCRATCH + u->base;
	done = TRY(u->run(x));
	base = x[1] - GUEST_SCRATCH - u->base;
	if (refused) {
		right = check_refused(REFUSE_SEA, INSN_ANY) && trap_caught.far == address + (refused == u->one ? 0 : 4) && !base;
	} else {
		right = done && base == u->step;
		if (u->load) {
			right = right && x[3] == u->one->value && (!u->other || x[4] == u->other->value);
			x[3] = insn_pattern(3);
			x[4] = u->other ? insn_pattern(4) : x[4];
		}
	}
	if (right && insn_changed(x, 1, 1) == 31)
		check_pass(u->name, "decoded: %s%s%s", check_word(u->one), u->other ? ", then " : "", u->other ? check_word(u->other) : "");
	else
		check_fail(u->name, "expected %s, got ESR 0x%lx FAR 0x%lx x3 0x%lx x4 0x%lx, base + 0x%lx", check_word(u->one),
			   trap_caught.esr, trap_caught.far, x[3], x[4], base);
}

/* One that it does not make. */
static void run_no_syndrome(void)
{
	static const struct expect e = EXPECT_NO_SYNDROME, r = EXPECT_SCRATCH_20_R4;
	const u64 address = GUEST_SCRATCH + 0x20;
	u64 x[31];
	bool right;

	for (u32 i = 0; i < ARRAY_SIZE(undescribed); i++)
		if (plain(undescribed[i].one) && plain(undescribed[i].other))
			run_undescribed(&undescribed[i]);
		else
			check_untried(undescribed[i].name, "scratch", plain(undescribed[i].one) ? undescribed[i].other : undescribed[i].one);
	if (!expect_returns(&e) || !expect_affords(&e, 2) || r.action == ACT_ALLOW) {
		check_untried("ldxr", "no syndrome", &e);
		return;
	}
	insn_fill(x);
	x[1] = address;
	TRY(insn_ldxr(x));
	right = e.action == ACT_DENY ? check_refused(REFUSE_UNDEF, INSN_ANY) : check_abort(EC_DABT, FSC_EXTERNAL, address);
	if (right && x[1] == address && insn_changed(x, 1, 1) == 31)
		check_pass("ldxr", "no syndrome for EL2: %s, no register changed", check_word(&e));
	else
		check_fail("ldxr", "no syndrome for EL2: expected %s, got ESR 0x%lx FAR 0x%lx x1 0x%lx", check_word(&e),
			   trap_caught.esr, trap_caught.far, x[1]);
}

/* Executes addresses without memory. */
static void run_fetch(void)
{
	static const struct expect e = EXPECT_FETCH;
	void (*nowhere)(void) = (void (*)(void))GUEST_NOWHERE;
	bool right;

	if (!expect_returns(&e) || !expect_affords(&e, 2)) {
		check_untried("fetch", "a jump to 0xc000000", &e);
		return;
	}
	TRY(nowhere());
	right = e.action == ACT_DENY ? check_refused(REFUSE_UNDEF, INSN_ANY) :
				       check_abort(EC_IABT, FSC_EXTERNAL, GUEST_NOWHERE);
	if (right && trap_caught.elr == GUEST_NOWHERE)
		check_pass("fetch", "a jump to 0xc000000: %s", check_word(&e));
	else
		check_fail("fetch", "a jump to 0xc000000: expected %s, got ESR 0x%lx ELR 0x%lx FAR 0x%lx",
			   check_word(&e), trap_caught.esr, trap_caught.elr, trap_caught.far);
}

CHECKS(040, mmio_forms)
{
	run_loads();
	run_stores();
	run_priorities();
	run_no_syndrome();
	run_fetch();
}
