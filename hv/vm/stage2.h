/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's physical address space: RAM by 2 MiB blocks, passthrough windows by pages, nothing else. */
#ifndef HV_STAGE2_H
#define HV_STAGE2_H

#include "lib/types.h"

#define STAGE2_IPA_BITS 39

/* Builds the tables from the policy's map. */
void stage2_init(void);
/* Points this CPU at the tables (VTCR_EL2, VTTBR_EL2; VMID 1). */
void stage2_enable(void);
/* From now on the guest writes, or executes, the page or block of its RAM that holds `ipa`: `mode: audit` has logged it. */
void stage2_open(u64 ipa, bool exec);
/* The descriptors that translate `ipa`, level 1 to 3, for the monitor; returns how many levels there are. */
unsigned stage2_walk(u64 ipa, u64 descriptors[3]);

#endif
