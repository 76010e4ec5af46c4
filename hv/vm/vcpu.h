/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's CPU: the controls that the policy needs (vcpu.c), and its first state (reset.c). */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "cpu/cpu.h"

/* Writes EL2's controls on this CPU: policy_traps without those that the CPU lacks. */
void vcpu_controls(void);
/* Lets EL2 itself use SIMD, SVE and SME, as far as there are any, until CPTR_EL2 is written with the value returned. */
u64 vcpu_open_vectors(void);
/* The guest's first state: EL1h, everything masked, MMU off, PC `entry`, x0 `context`. */
void vcpu_reset(struct cpu *c, u64 entry, u64 context);

#endif
