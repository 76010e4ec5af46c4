/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's virtual time: CNTVCT runs as CNTPCT does, without the time that the operator and the log took. */
#ifndef HV_VTIME_H
#define HV_VTIME_H

#include "lib/types.h"

/* False: time in the monitor is not hidden (the operator's setting). */
extern bool vtime_hides;
/* Measures which values of CNTVOFF_EL2 this machine can bear. Call it once, before any timer of this CPU is used. */
void vtime_init(void);
/* Hides `ticks` during which every CPU of the guest stood still. */
void vtime_hide(u64 ticks);
/* Writes this CPU's CNTVOFF_EL2, when it starts and when it goes on after standing still. */
void vtime_load(void);
/* Ticks hidden so far. */
u64 vtime_hidden(void);

#endif
