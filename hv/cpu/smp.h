/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs: their state, and how one starts, stops, and stands still for the monitor. */
#ifndef HV_SMP_H
#define HV_SMP_H

#include "cpu/cpu.h"

/* struct cpu of every CPU of the board, this one's first. */
void smp_init(void);
/* PSCI CPU_ON for an offline CPU: it enters the guest at `entry` with x0 = `context`. A PSCI code. */
u64 smp_cpu_on(struct cpu *target, u64 entry, u64 context);
/* PSCI CPU_OFF for this CPU; returns only if it is the last one: DENIED. */
u64 smp_cpu_off(struct cpu *c);
/* True from smp_stop_others() to smp_resume_others(), and after the end of the run. */
extern volatile bool smp_stopped;
/* How many CPUs run the guest. */
unsigned smp_online(void);
/* Stops every other CPU of the guest in smp_park(), or waiting for a lock of this CPU's; lets them go on. */
void smp_stop_others(struct cpu *c);
void smp_resume_others(void);
/* SGI_STOP: stands still until smp_resume_others(). */
void smp_park(struct cpu *c);

#endif
