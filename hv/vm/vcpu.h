/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's CPU: the controls that the policy needs, and every EL1 register that reset leaves UNKNOWN. */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "cpu/cpu.h"

/* EL2's controls on this CPU, from policy_traps, less what the CPU does not have. */
void vcpu_controls(void);
/* The guest's first state: EL1h, everything masked, MMU off, PC `entry`, x0 `context`. */
void vcpu_reset(struct cpu *c, u64 entry, u64 context);

#endif
