/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HV_INTEGRITY_H
#define HV_INTEGRITY_H

#include "types.h"

/* Remembers the checksum of what no longer changes: EL2's text and constants, and all translation tables. */
void integrity_seal(void);
/* True if it is still the same, or if nothing was sealed yet. */
bool integrity_holds(void);

#endif
