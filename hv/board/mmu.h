/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's own address space (VA = PA): W^X, guard pages, devices, guest RAM. Also boot memory. */
#ifndef HV_MMU_H
#define HV_MMU_H

#include "lib/types.h"

/* Translation table descriptors, VMSAv8-64, 4 KiB granule (Arm ARM, "Translation table descriptor formats"). */
#define PTE_VALID     BIT(0)
#define PTE_TABLE     (BIT(1) | PTE_VALID)
#define PTE_PAGE      (BIT(1) | PTE_VALID)
#define PTE_BLOCK     PTE_VALID
#define PTE_AF        BIT(10)
#define PTE_SH_INNER  (3UL << 8)
#define PTE_ADDR      0x0000fffffffff000UL

/* Builds the tables; turns the MMU and caches on for this CPU. */
void mmu_init(void);
/* Turns them on for another CPU. */
void mmu_enable(void);
/*
 * `size` bytes of boot memory, zeroed, aligned to 64 bytes or `align` (a power of two); below the guest's RAM and never
 * given back. Stops the boot with a message if there is not enough.
 */
void *boot_alloc(size_t size, size_t align);
/* The same, but not zeroed: for large memory whose user knows which part is valid. */
void *boot_alloc_dirty(size_t size, size_t align);

#endif
