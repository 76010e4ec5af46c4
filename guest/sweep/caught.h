/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions since the last CATCH(), counted by start.S. */
#ifndef SWEEP_CAUGHT_H
#define SWEEP_CAUGHT_H

#include "lib/types.h"

struct caught {
	u64 sync, serror;
	u64 esr;       /* of the first synchronous one, unless `quiet` */
	u64 quiet;     /* ESR_EL1 is left alone: the policy limits how often it is read */
};
extern struct caught caught;
extern bool quietly; /* how CATCH() catches */

/* Runs a statement whose exceptions count; a virtual SError is taken before it ends. */
#define CATCH(statement)                                 \
	do {                                             \
		caught = (struct caught){ .quiet = quietly }; \
		asm volatile("" : : : "memory");         \
		statement;                               \
		asm volatile("isb" : : : "memory");      \
	} while (0)

/* start.S: an instruction that is UNDEFINED everywhere. */
void provoke(void);

#endif
