/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's CPU: the controls that the policy needs (vcpu.c), and its first state (reset.c). */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "cpu/cpu.h"

/* EL2's controls on this CPU, from policy_traps, less what the CPU does not have. */
void vcpu_controls(void);
/* EL2 itself may use SIMD, SVE and SME, as far as there are any, until CPTR_EL2 is written with what this returns. */
u64 vcpu_open_vectors(void);
/* The guest's first state: EL1h, everything masked, MMU off, PC `entry`, x0 `context`. */
void vcpu_reset(struct cpu *c, u64 entry, u64 context);

#endif
