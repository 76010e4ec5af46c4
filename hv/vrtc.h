/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PL031 (PrimeCell RTC TRM, DDI 0224): the board's time plus what the guest set; no alarm interrupt. */
#ifndef HV_VRTC_H
#define HV_VRTC_H

#include "types.h"

/* Register access, offset in the window. False: no such register. */
bool vrtc_read(u32 offset, u64 *value);
bool vrtc_write(u32 offset, u64 value);

#endif
