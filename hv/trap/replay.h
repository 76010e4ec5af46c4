/* SPDX-License-Identifier: Apache-2.0 */
/* Replay stubs (policy_replay) whose register is UNDEFINED at EL2 as well: a fault of the guest's access, not of EL2. */
#ifndef HV_REPLAY_H
#define HV_REPLAY_H

#include "cpu/cpu.h"

/*
 * For EL2's own exception, saved in `f`. True: it came from a replay stub, which returns as if it had read zero, and
 * WORK_UNDEFINED is set. An instruction abort in a stub is EL2's fault: false.
 */
truth replay_faulted(struct trap_frame *f);
/*
 * WORK_UNDEFINED: restores the registers that the trap has changed, injects UNDEFINED, and makes the record say INJECT.
 * Returns the work that the record needs: WORK_LOG or 0.
 */
u32 replay_undo(struct cpu *c);

#endif
