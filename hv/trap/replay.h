/* SPDX-License-Identifier: Apache-2.0 */
/* A replay stub (policy_replay) whose register is UNDEFINED at EL2 as well: the guest's fault, not EL2's. */
#ifndef HV_REPLAY_H
#define HV_REPLAY_H

#include "cpu/cpu.h"

/*
 * EL2's own exception, saved in `f`. True: a replay stub took it; it has ended as if it had read zero, and
 * WORK_UNDEFINED waits. An instruction abort there is EL2's own.
 */
bool replay_faulted(struct trap_frame *f);
/*
 * WORK_UNDEFINED: what the trap has changed meanwhile is put back, the guest gets UNDEFINED, its record says INJECT. What is to be
 * done about that record: WORK_LOG or nothing.
 */
u32 replay_undo(struct cpu *c);

#endif
