/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HV_INTEGRITY_H
#define HV_INTEGRITY_H

#include "lib/types.h"

/* Remembers the checksum of all translation tables, which no longer change. */
void integrity_seal(void);
/* True if they, EL2's text and its constants are still the same, or if nothing was sealed yet. */
bool integrity_holds(void);

#endif
