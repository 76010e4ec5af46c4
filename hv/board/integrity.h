/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HV_INTEGRITY_H
#define HV_INTEGRITY_H

#include "lib/types.h"

/* Takes the checksum of all translation tables, which stay as they are from here on. */
void integrity_seal(void);
/* True if tables, text and constants are unchanged, or were never sealed. */
truth integrity_holds(void);

#endif
