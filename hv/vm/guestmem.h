/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's only way into guest memory: every address is checked against guest RAM first. */
#ifndef HV_GUESTMEM_H
#define HV_GUESTMEM_H

#include "board/board.h"
#include "cpu/frame.h"
#include "lib/types.h"
#include "policy/policy.h"

/* EL2's pointer to guest RAM [ipa, ipa + size), or NULL if any byte lies outside (or size wraps). */
void *guest_ram(u64 ipa, u64 size);
/* Whether EL2 may write there for the guest, or let a device write: the policy's `memory` gives or only audits it. */
bool guest_guards_let(u64 ipa, u64 size);
static inline bool guest_may_write(u64 ipa, u64 size)
{
	return !POLICY_MEMORY || guest_guards_let(ipa, size);
}
/* Whose access: EL1's loads, unless one of these is set. */
#define AS_WRITE 1u
#define AS_EL0   2u
#define AS_PAN   4u /* EL1's, with PSTATE.PAN, which EL2 shares with the guest */
/* Whose access a load or store of the frame's instruction is; not LDTR and STTR, which are EL0's at EL1. */
unsigned guest_access(const struct trap_frame *f, bool write);
/*
 * Translates a guest VA with the guest's own stage 1 tables (AT), as the hardware does now. True: *ipa is set. False:
 * *par has PAR_EL1 with the fault status. The guest's PAR_EL1 is preserved.
 */
truth guest_translate(u64 va, unsigned as, u64 *ipa, u64 *par);
/*
 * The fault status from PAR_EL1.FST. PAR_EL1.S means that stage 2 refused the walk: the guest sees a place without
 * memory.
 */
u64 guest_fault_status(u64 par);
/* Copies from a guest VA across pages. Returns the bytes copied before the first that is unmapped or outside RAM. */
size_t guest_read_va(u64 va, void *to, size_t size);

#endif
