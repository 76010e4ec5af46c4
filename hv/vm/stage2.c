/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's physical address space. */
#include "vm/stage2.h"
#include "arch/arch.h"
#include "board/board.h"
#include "board/integrity.h"
#include "board/mmu.h"
#include "policy/policy.h"

_Static_assert(GUEST_IPA == MMIO_SIZE, "the tables of MMIO cover what is below the guest's RAM: MMIO_SIZE of policy.h");

#define BLOCK 0x200000UL
#define PAGE  0x1000UL

#define S2_NORMAL (0xfUL << 2) /* MemAttr: write-back, inner and outer */
#define S2_DEVICE (0x1UL << 2) /* MemAttr: Device-nGnRE */
#define S2_READ   (1UL << 6)
#define S2_WRITE  (2UL << 6)
#define S2_XN     BIT(54)

static u64 l1[512] __attribute__((aligned(4096), section(".bss.tables")));
static u64 l2_devices[512] __attribute__((aligned(4096), section(".bss.tables")));
static u64 l2_ram[512] __attribute__((aligned(4096), section(".bss.tables")));

/* The descriptor of the page or block that holds `ipa` of guest RAM. */
static u64 *ram_entry(u64 ipa)
{
	u64 *d = &l2_ram[(ipa - GUEST_IPA) / BLOCK];

	return (*d & PTE_TABLE) == PTE_TABLE ? (u64 *)(*d & PTE_ADDR) + ipa % BLOCK / PAGE : d;
}

/* Whole blocks stay blocks: a guard costs nothing but where it begins and ends. */
static COLD void guard(const struct memory *m)
{
	u64 size;

	for (u64 ipa = m->base; ipa <= m->last; ipa += size) {
		u64 *d = &l2_ram[(ipa - GUEST_IPA) / BLOCK], block = *d;

		size = BLOCK;
		if (ipa % BLOCK || m->last - ipa < BLOCK - 1) {
			size = PAGE;
			if ((block & PTE_TABLE) == PTE_BLOCK) {
				u64 *pages = boot_alloc(PAGE, PAGE);

				for (u64 i = 0; i < BLOCK / PAGE; i++)
					pages[i] = (block + i * PAGE) | PTE_PAGE;
				*d = (u64)pages | PTE_TABLE;
			}
		}
		d = ram_entry(ipa);
		*d = (*d & ~S2_WRITE) | (m->may & MAY_WRITE ? S2_WRITE : 0) | (m->may & MAY_EXEC ? 0 : S2_XN);
	}
}

void stage2_init(void)
{
	l1[0] = (u64)l2_devices | PTE_TABLE;
	l1[1] = (u64)l2_ram | PTE_TABLE;
	for (u64 offset = 0; offset < GUEST_SIZE; offset += BLOCK)
		l2_ram[offset / BLOCK] = (GUEST_PA + offset) | PTE_BLOCK | PTE_AF | PTE_SH_INNER | S2_NORMAL |
					 S2_READ | S2_WRITE;

	for (unsigned i = 0; POLICY_MEMORY && i < policy_n_memory; i++)
		guard(&policy_memory[i]);
	for (unsigned i = 0; i < policy_n_passthrough; i++) {
		const struct passthrough *w = &policy_passthrough[i];

		for (u64 pa = w->base; pa <= w->last; pa += PAGE) {
			u64 *l2 = &l2_devices[pa / BLOCK];

			if (!*l2)
				*l2 = (u64)boot_alloc(PAGE, PAGE) | PTE_TABLE;
			((u64 *)(*l2 & PTE_ADDR))[pa % BLOCK / PAGE] = pa | PTE_PAGE | PTE_AF | S2_DEVICE | S2_XN |
				(w->read ? S2_READ : 0) | (w->write ? S2_WRITE : 0);
		}
	}
	dsb_ish();
}

void stage2_enable(void)
{
	u64 pa_range = sysreg_read(id_aa64mmfr0_el1) & 0xf;

	/* T0SZ for 39 bits, walks start at level 1 (SL0 = 1), 4 KiB granule, inner shareable, write-back; bit 31 RES1. */
	sysreg_write(vtcr_el2, BIT(31) | (pa_range > 5 ? 5 : pa_range) << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 |
			       (64 - STAGE2_IPA_BITS));
	sysreg_write(vttbr_el2, (u64)l1 | 1UL << 48);
	isb();
	tlbi_vmalls12e1();
}

COLD void stage2_open(u64 ipa, bool exec)
{
	u64 *d = ram_entry(ipa);

	*d = exec ? *d & ~S2_XN : *d | S2_WRITE;
	tlbi_vmalls12e1();
	integrity_seal();
}

unsigned stage2_walk(u64 ipa, u64 descriptors[3])
{
	const u64 *table = l1;
	unsigned level;

	for (level = 0; level < 3; level++) {
		u64 d = table[ipa >> (30 - 9 * level) & 0x1ff];

		descriptors[level] = d;
		if ((d & 3) != PTE_TABLE || level == 2)
			return level + 1;
		table = (const u64 *)(d & PTE_ADDR);
	}
	return level;
}
