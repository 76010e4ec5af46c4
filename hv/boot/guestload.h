/* SPDX-License-Identifier: Apache-2.0 */
/* The guest that runs, and its memory before its first instruction: checked, scrubbed, in place. */
#ifndef HV_GUESTLOAD_H
#define HV_GUESTLOAD_H

#include "lib/types.h"

struct guest {
	u64 entry, context; /* IPA of the first instruction; x0 */
	bool is_linux;
};

/*
 * Puts the bundled guest into RAM, or checks the Image, initrd and DTB that were loaded there, and scrubs the rest.
 * Stops the boot with sizes and addresses when they are malformed, do not fit or overlap.
 */
void guest_load(struct guest *g);

#endif
