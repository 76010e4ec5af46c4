/* SPDX-License-Identifier: Apache-2.0 */
/* Which build and which guest this is; the constants are defined in build/gen/build.c by the Makefile. */
#ifndef HV_BUILD_H
#define HV_BUILD_H

#include "lib/types.h"

extern const char build_id[];      /* git describe */
extern const u64 build_number;     /* the commit's first 32 bits */
extern const u32 build_guest_hash; /* of the bundled guest: its SHA-256's first 32 bits */

extern const bool build_locked;    /* LOCKED=1: the monitor changes nothing */
extern const bool build_monitor;   /* MONITOR=0: there is none */

struct guest_id {
	const char *name;
	u32 hash;
};
extern struct guest_id guest_id; /* the guest that runs; set by guest_load() */

#endif
