/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's virtual time: CNTVCT goes as CNTPCT does, but for what the operator and the log took. */
#ifndef HV_VTIME_H
#define HV_VTIME_H

#include "lib/types.h"

/* False: the operator wants the guest to see how long it stood still. */
extern bool vtime_hides;
/* Measures which values of CNTVOFF_EL2 this machine can bear. Once, before anything uses a timer of this CPU. */
void vtime_init(void);
/* `ticks` during which every CPU of the guest stood still did not happen to the guest. */
void vtime_hide(u64 ticks);
/* This CPU's CNTVOFF_EL2: at its start, and when it goes on after standing still. */
void vtime_load(void);
/* All that was hidden so far. */
u64 vtime_hidden(void);

#endif
