/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs: which there are, how one starts, stops, and stands still while the monitor is open. */
#ifndef HV_SMP_H
#define HV_SMP_H

#include "cpu/cpu.h"

/* struct cpu of every CPU of the board, this one's first. */
void smp_init(void);
/* PSCI CPU_ON for an offline CPU: it enters the guest at `entry` with x0 = `context`. A PSCI code. */
u64 smp_cpu_on(struct cpu *target, u64 entry, u64 context);
/* PSCI CPU_OFF for this CPU; returns (DENIED) only when it is the last one. */
u64 smp_cpu_off(struct cpu *c);
/* Between the next two: the monitor is open, or the end has come. */
extern volatile bool smp_stopped;
/* How many CPUs run the guest. */
unsigned smp_online(void);
/* Every other CPU of the guest stands still, or waits for a lock of ours; and goes on. */
void smp_stop_others(struct cpu *c);
void smp_resume_others(void);
/* SGI_STOP: stand still until smp_resume_others(). */
void smp_park(struct cpu *c);

#endif
