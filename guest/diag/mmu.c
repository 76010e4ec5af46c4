/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's own stage 1: its faults stay its own, and EL2 tells a virtual address from an IPA.
 *
 * SCTLR_EL1.C stays 0: data written with the MMU off has not been through the caches, so that no cache maintenance is
 * needed here.
 */
#include "check.h"
#include "cpu.h"
#include "trap.h"

#define SCTLR_RES1   0x30d00800UL
#define SCTLR_M      BIT(0)
/* 39 bits of VA (walks start at level 1), 4 KiB granules, both halves; walks are non-cacheable; 4 GiB of PA. */
#define TCR          (25UL | 25UL << 16 | 2UL << 30)
#define MAIR         0x44UL << 8 /* 0: Device-nGnRnE; 1: Normal, non-cacheable */

#define PTE_VALID    BIT(0)
#define PTE_TABLE    BIT(1) /* at level 3: a page */
#define PTE_NORMAL   (1UL << 2)
#define PTE_RO       BIT(7)
#define PTE_AF       BIT(10)
#define PTE_PXN      BIT(53)
#define PTE_UXN      BIT(54)
#define DEVICE       (PTE_VALID | PTE_AF | PTE_PXN | PTE_UXN)
#define DATA         (PTE_VALID | PTE_AF | PTE_NORMAL | PTE_PXN | PTE_UXN)
#define CODE         (PTE_VALID | PTE_AF | PTE_NORMAL | PTE_RO | PTE_UXN)

#define GIB          BIT(30)
#define MIB2         BIT(21)
#define PAGE         BIT(12)

/* Level 1 by GiB: 0 devices, 1 RAM, both as without the MMU; 2 unmapped; 3 devices again; 4 RAM again. */
#define UNMAPPED     (2 * GIB)
#define DEVICE_ALIAS (3 * GIB)
#define RAM_ALIAS    (4 * GIB - GUEST_RAM)
#define HIGH         0xffffff8000000000UL /* TTBR1_EL1's */

static u64 l1[512] __attribute__((aligned(4096)));
static u64 l2[512] __attribute__((aligned(4096)));
static u64 l3[512] __attribute__((aligned(4096))); /* the first 2 MiB of RAM: the image and the stack */

extern const char text_start[], text_end[], data_start[];

static void build_tables(void)
{
	for (u64 i = 0; i < 512; i++) {
		u64 page = GUEST_RAM + i * PAGE;
		u64 kind = page < (u64)text_end ? CODE : page < (u64)data_start ? DATA | PTE_RO : DATA;

		l3[i] = page == GUEST_HOLE ? 0 : page | kind | PTE_TABLE;
		l2[i] = (GUEST_RAM + i * MIB2) | DATA;
	}
	l2[0] = (u64)l3 | PTE_VALID | PTE_TABLE;
	l1[0] = DEVICE;
	l1[1] = (u64)l2 | PTE_VALID | PTE_TABLE;
	l1[2] = 0;
	l1[3] = l1[0];
	l1[4] = l1[1];
}

static void turn_on(void)
{
	cpu_set_sysreg(mair_el1, MAIR);
	cpu_set_sysreg(tcr_el1, TCR);
	cpu_set_sysreg(ttbr0_el1, (u64)l1);
	cpu_set_sysreg(ttbr1_el1, GUEST_NOWHERE);
	asm volatile("dsb ishst\n\ttlbi vmalle1\n\tdsb ish\n\tisb" : : : "memory");
	cpu_set_sysreg(sctlr_el1, SCTLR_RES1 | SCTLR_M);
}

static void turn_off(void)
{
	cpu_set_sysreg(sctlr_el1, SCTLR_RES1);
	asm volatile("dsb ishst\n\ttlbi vmalle1\n\tdsb ish\n\tisb" : : : "memory");
	cpu_set_sysreg(ttbr1_el1, 0);
}

static void expect_fault(const char *what, u32 ec, u32 fsc, u64 va)
{
	if (check_abort(ec, fsc, va))
		check_pass("MMU", "%s: ESR 0x%lx, FAR 0x%lx", what, trap_caught.esr, trap_caught.far);
	else
		check_fail("MMU", "%s: expected EC 0x%x FSC 0x%x, got %u exceptions, ESR 0x%lx FAR 0x%lx", what, ec,
			   fsc, trap_caught.sync, trap_caught.esr, trap_caught.far);
}

/* Faults of stage 1 go to EL1 without EL2. */
static void run_own_faults(void)
{
	void (*data)(void) = (void (*)(void))GUEST_BUFFER;

	TRY(cpu_write((u64)text_start, 2, 0));
	expect_fault("a write to code", EC_DABT, FSC_PERMISSION_L3, (u64)text_start);
	TRY(cpu_read(GUEST_HOLE, 2));
	expect_fault("a page that is not mapped", EC_DABT, FSC_TRANSLATION_L3, GUEST_HOLE);
	TRY(cpu_read(UNMAPPED, 2));
	expect_fault("a GiB that is not mapped", EC_DABT, FSC_TRANSLATION_L1, UNMAPPED);
	TRY(data());
	expect_fault("a jump into data", EC_IABT, FSC_PERMISSION_L3, GUEST_BUFFER);
}

/* The policy's addresses are IPAs, not the guest's virtual ones. */
static void run_alias(void)
{
	static const struct expect e = EXPECT_SCRATCH_04_R4;
	u64 va = DEVICE_ALIAS + GUEST_SCRATCH + 4, got = POISON;
	bool done, right;

	if ((e.action != ACT_VALUE && e.action != ACT_DENY) || !expect_affords(&e, 2)) {
		check_untried("MMU", "scratch through an alias", &e);
		return;
	}
	done = TRY(got = cpu_read_or(va, 2, POISON));
	right = e.action == ACT_VALUE ? done && got == (e.value & 0xffffffff) :
					!done && check_refused(e.refusal, INSN_ANY);
	if (e.action == ACT_DENY && e.refusal == REFUSE_SEA)
		right = right && trap_caught.far == va;
	if (right)
		check_pass("MMU", "scratch at VA 0x%lx: %s, as at its IPA", va, check_word(&e));
	else
		check_fail("MMU", "scratch at VA 0x%lx: expected %s, got 0x%lx, ESR 0x%lx FAR 0x%lx", va,
			   check_word(&e), got, trap_caught.esr, trap_caught.far);
}

/* A table at an address without memory: the walk faults at stage 2. */
static void run_walk(void)
{
	static const struct expect e = EXPECT_WALK;
	bool right;

	if (!expect_returns(&e) || !expect_affords(&e, 2)) {
		check_untried("MMU", "a walk of a device", &e);
		return;
	}
	TRY(cpu_read(HIGH, 2));
	right = e.action == ACT_DENY ? check_refused(REFUSE_UNDEF, INSN_ANY) :
				       trap_caught.sync == 1 && trap_ec() == EC_DABT && trap_caught.far == HIGH &&
					       (trap_fsc() & ~3U) == FSC_EXTERNAL_WALK;
	if (right)
		check_pass("MMU", "a walk of a device: %s, ESR 0x%lx", check_word(&e), trap_caught.esr);
	else
		check_fail("MMU", "a walk of a device: expected %s, got ESR 0x%lx FAR 0x%lx", check_word(&e),
			   trap_caught.esr, trap_caught.far);
}

/* DC ZVA at a virtual address that is no IPA zeroes one block and no other byte. */
static void run_zero(void)
{
	static const struct expect e = EXPECT_DC_ZVA_W, id = EXPECT_DCZID_EL0_R;
	u64 size, wrong = 0;
	volatile u8 *buffer = (volatile u8 *)GUEST_BUFFER;
	bool done;

	if (!expect_returns(&e) || !expect_affords(&e, 2) || id.action != ACT_ALLOW) {
		check_untried("DC ZVA", "by an alias", &e);
		return;
	}
	size = 4UL << (cpu_sysreg(dczid_el0) & 0xf);
	for (u32 i = 0; i < 4096; i++)
		buffer[i] = 0xff;
	done = TRY(asm volatile("dc zva, %0\n\tdsb sy" : : "r"(RAM_ALIAS + GUEST_BUFFER + size + 4) : "memory"));
	for (u64 i = 0; i < 4096; i++)
		wrong += buffer[i] != (done && i >= size && i < 2 * size ? 0 : 0xff);
	if (e.action == ACT_DENY)
		check_true("DC ZVA", "refused (UNDEF), as the policy says",
			   check_refused(REFUSE_UNDEF, INSN_SYS) && !wrong, trap_caught.esr);
	else
		check_true("DC ZVA", "by an alias: its block is zero, its neighbours are not", done && !wrong, wrong);
}

static void run_caches(void)
{
	static const struct expect civac = EXPECT_DC_CIVAC_W, ivau = EXPECT_IC_IVAU_W;
	volatile u64 *word = (volatile u64 *)GUEST_BUFFER;
	u64 alias = RAM_ALIAS + GUEST_BUFFER;

	if (!expect_works(&civac) || !expect_works(&ivau) || !expect_affords(&civac, 9) || !expect_affords(&ivau, 9))
		return;
	*word = POISON;
	check_true("MMU", "DC CIVAC and IC IVAU by an alias",
		   TRY(asm volatile("dc civac, %0\n\tdsb sy\n\tic ivau, %0\n\tdsb sy" : : "r"(alias) : "memory")) &&
		   *word == POISON, trap_caught.esr);
}

CHECKS(100, mmu)
{
	static const struct {
		const char *name;
		struct expect e;
	} needs[] = {
		{ "SCTLR_EL1", EXPECT_SCTLR_EL1_W }, { "TTBR0_EL1", EXPECT_TTBR0_EL1_W },
		{ "TTBR1_EL1", EXPECT_TTBR1_EL1_W }, { "TCR_EL1", EXPECT_TCR_EL1_W },
		{ "MAIR_EL1", EXPECT_MAIR_EL1_W },   { "TLBI_VMALLE1", EXPECT_TLBI_VMALLE1_W },
	};

	for (u32 i = 0; i < ARRAY_SIZE(needs); i++) {
		if (expect_works(&needs[i].e) && expect_affords(&needs[i].e, 20))
			continue;
		check_untried("MMU", needs[i].name, &needs[i].e);
		return;
	}
	build_tables();
	turn_on();
	check_pass("MMU", "on: code is read-only, data is not executable");
	run_own_faults();
	run_alias();
	run_walk();
	run_zero();
	run_caches();
	turn_off();
	check_pass("MMU", "off again");
}
