/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PL031 (PrimeCell RTC TRM, DDI 0224): the board's time plus what the guest set, and its alarm. */
#ifndef HV_VRTC_H
#define HV_VRTC_H

#include "lib/types.h"

/* Register access by offset in the window. An unknown register reads as 0 and ignores writes. */
u64 vrtc_read(u32 offset);
void vrtc_write(u32 offset, u64 value);
/* ALARM_RTC rang: raises the interrupt if the clock has reached RTCMR. */
void vrtc_tick(void);

#endif
