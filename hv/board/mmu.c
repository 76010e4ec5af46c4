/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's own address space: the pages that EL2 may read, write and execute. */
#include "board/mmu.h"
#include "arch/arch.h"
#include "board/board.h"
#include "lib/panic.h"

#define BLOCK 0x200000UL
#define PAGE  0x1000UL
#define IMAGE_BLOCKS ((HV_END - RAM_PA) / BLOCK)

/* MAIR_EL2: attribute 0 is normal write-back memory, 1 is Device-nGnRE. */
#define MAIR    0x04ffUL
#define NORMAL  (PTE_AF | PTE_SH_INNER)
#define DEVICE  (PTE_AF | 1UL << 2)
#define XN      BIT(54)
#define RO      (2UL << 6) /* AP[2]; AP[1] is RES1, as EL2 has one range of addresses */
#define AP1     (1UL << 6)
#define TEXT    (PTE_PAGE | NORMAL | AP1 | RO)
#define RODATA  (PTE_PAGE | NORMAL | AP1 | RO | XN)
#define DATA    (PTE_PAGE | NORMAL | AP1 | XN)

static u64 l1[512] __attribute__((aligned(4096), section(".bss.tables")));
static u64 l2[512] __attribute__((aligned(4096), section(".bss.tables")));
static u64 l3[IMAGE_BLOCKS * 512] __attribute__((aligned(4096), section(".bss.tables")));

extern char __text_start[], __text_end[], __rodata_start[], cpu_blocks[];
extern char *const image_end;

static u64 carve_next;

/* the first block behind the image */
static u64 blocks_end(void)
{
	return ((u64)image_end + BLOCK - 1) & ~(BLOCK - 1);
}

void *boot_alloc_dirty(size_t size, size_t align)
{
	u64 at;

	if (!carve_next)
		carve_next = blocks_end(); /* the whole block is data */
	if (align < 64)
		align = 64;
	at = (carve_next + align - 1) & ~(align - 1);
	if (size > GUEST_PA - at)
		panic("no boot memory left for %lu bytes", size);
	carve_next = (at + size + 63) & ~63UL;
	return (void *)at;
}

void *boot_alloc(size_t size, size_t align)
{
	u64 *p = boot_alloc_dirty(size, align);

	for (u64 *q = p; q < p + (size + 63) / 64 * 8; q += 8) /* blocks end on a cache line */
		q[0] = q[1] = q[2] = q[3] = q[4] = q[5] = q[6] = q[7] = 0;
	return p;
}

static void map_pages(const char *from, const char *to, u64 attributes)
{
	for (u64 pa = (u64)from; pa < (u64)to; pa += PAGE)
		l3[(pa - GUEST_IPA) / PAGE] = pa | attributes;
}

static void map_blocks(u64 from, u64 to, u64 attributes)
{
	for (u64 pa = from; pa < to; pa += BLOCK)
		l2[(pa - GUEST_IPA) / BLOCK] = pa | attributes;
}

void mmu_init(void)
{
	/* 0 to 1 GiB has the board's devices: never executable, reached through mmio_*() and guarded_*(). */
	l1[0] = PTE_BLOCK | DEVICE | AP1 | XN;
	l1[1] = (u64)l2 | PTE_TABLE;

	/* By pages: the boot arguments, this image, and a guard page under each CPU's stack. */
	for (u64 pa = GUEST_IPA; pa < blocks_end(); pa += BLOCK)
		l2[(pa - GUEST_IPA) / BLOCK] = ((u64)l3 + (pa - GUEST_IPA) / PAGE * 8) | PTE_TABLE;
	l3[(BOOTARGS_PA - GUEST_IPA) / PAGE] = BOOTARGS_PA | RODATA;
	map_pages(__text_start, __text_end, TEXT);
	map_pages(__text_end, __rodata_start, DATA);
	map_pages(__rodata_start, image_end, RODATA);
	for (unsigned i = 0; i < MAX_CPUS; i++)
		l3[((u64)cpu_blocks + i * CPU_BLOCK_SIZE - GUEST_IPA) / PAGE] = 0;

	/* Boot memory, and the guest's RAM: data to EL2, never code. */
	map_blocks(blocks_end(), GUEST_PA + GUEST_SIZE, PTE_BLOCK | NORMAL | AP1 | XN);

	/*
	 * Writes so far bypassed the caches; drop lines that speculation may have filled, so that the table walker and
	 * the first cached read see memory.
	 */
	for (u64 p = (u64)__text_end, line = dcache_line(); p < (u64)__rodata_start; p += line)
		dc_ivac((const void *)p);
	mmu_enable();
}

void mmu_enable(void)
{
	u64 pa_range = sysreg_read(id_aa64mmfr0_el1) & 0xf;

	sysreg_write(mair_el2, MAIR);
	/* T0SZ 25 (39 bits), 4 KiB granule, inner shareable, write-back walks; bits 31 and 23 are RES1. */
	sysreg_write(tcr_el2, BIT(31) | BIT(23) | (pa_range > 5 ? 5 : pa_range) << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 25);
	sysreg_write(ttbr0_el2, (u64)l1);
	tlbi_alle2();
	ic_ialluis();
	/*
	 * RES1 bits | M, C, SA, I, WXN (writable is never executable). A is off: guests' and tables' data may be
	 * unaligned.
	 */
	sysreg_write(sctlr_el2, 0x30c50830UL | BIT(0) | BIT(2) | BIT(3) | BIT(12) | BIT(19));
	isb();
}
