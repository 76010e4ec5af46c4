/* SPDX-License-Identifier: Apache-2.0 */
/* The guest that runs, and its memory before its first instruction: checked, scrubbed, in place. */
#ifndef HV_GUESTLOAD_H
#define HV_GUESTLOAD_H

#include "lib/types.h"

struct guest {
	u64 entry, context; /* IPA of the first instruction; x0 */
	bool bundled;
};

/*
 * Checks the parts of a kernel, or the Image, initrd and DTB, that were loaded into RAM, and scrubs the rest; where there
 * is none, puts the bundled guest there. Stops the boot with sizes and addresses when they are malformed, do not fit or
 * overlap, and when something is in RAM that is none of these.
 */
void guest_load(struct guest *g);

#endif
