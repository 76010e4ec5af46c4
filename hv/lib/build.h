/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the build and of the guest; the Makefile defines the constants in build/gen/build.c. */
#ifndef HV_BUILD_H
#define HV_BUILD_H

#include "lib/types.h"

extern const char build_id[];      /* git describe */
extern const u64 build_number;     /* first 32 bits of the commit */
extern const u32 build_guest_hash; /* the bundled guest: first 32 bits of its SHA-256 */

extern const bool build_locked;    /* LOCKED=1: the monitor changes nothing */
extern const bool build_monitor;   /* 0 with MONITOR=0: the image has no monitor */

struct guest_id {
	const char *name;
	u32 hash;
};
extern struct guest_id guest_id; /* the running guest; guest_load() sets it */

#endif
