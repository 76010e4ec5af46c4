/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's own timer: alarms of the console, the monitor, virtio, the guest's clock and the watchdog. */
#ifndef HV_ALARM_H
#define HV_ALARM_H

#include "lib/types.h"

enum alarm { ALARM_ESCAPE, ALARM_UNTIL, ALARM_WATCH, ALARM_DEAF, ALARM_VIRTIO, ALARM_RTC, ALARM_COUNT };

/* This CPU is interrupted (SGI_ALARM) when CNTPCT reaches `when`; 0: no longer. */
void alarm_set(enum alarm which, u64 when);
/* The same, unless it is set to come earlier: of several CPUs that set it at a time, the earliest holds. */
void alarm_set_earlier(enum alarm which, u64 when);
bool alarm_is_set(enum alarm which);
/* The same for this CPU alone, whose log_due this is. */
void alarm_log(u64 when);
/* Sleeps until CNTPCT reaches `until` (0: no limit) or an interrupt of EL2's own is pending; the alarms wait. */
void alarm_sleep(u64 until);
/* The timer's interrupt: SGI_ALARM if an alarm is due, and the timer is set anew. */
void alarm_tick(u64 now);
/* The same where it is no FIQ: it comes while the guest runs, and nothing is watched (gic_has_fiq()). */
struct cpu;
void alarm_irq(struct cpu *c);

#endif
