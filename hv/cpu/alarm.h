/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's own timer: alarms of the console, the monitor, virtio, the guest's clock and the watchdog. */
#ifndef HV_ALARM_H
#define HV_ALARM_H

#include "lib/types.h"

enum alarm { ALARM_ESCAPE, ALARM_UNTIL, ALARM_WATCH, ALARM_DEAF, ALARM_VIRTIO, ALARM_RTC, ALARM_COUNT };

/* Interrupts this CPU (SGI_ALARM) when CNTPCT reaches `when`; 0: no longer. */
void alarm_set(enum alarm which, u64 when);
/* The same, unless an earlier time is set: of several CPUs that set it at once, the earliest time holds. */
void alarm_set_earlier(enum alarm which, u64 when);
/* The same for an alarm that each CPU has of its own, log_due. */
void alarm_log(u64 when);
/*
 * Sleeps until CNTPCT reaches `until` (0: no limit) or an interrupt of EL2's own is pending. Alarms are put off
 * meanwhile.
 */
void alarm_sleep(u64 until);
/* The timer's interrupt: sends SGI_ALARM if an alarm is due, and sets the timer anew. */
void alarm_tick(u64 now);
/* The same for a timer that is no FIQ (gic_has_fiq()): it comes only while the guest runs, so there is no watchdog. */
struct cpu;
void alarm_irq(struct cpu *c);

#endif
