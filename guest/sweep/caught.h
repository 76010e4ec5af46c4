/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions since the last catch(), counted by start.S. */
#ifndef SWEEP_CAUGHT_H
#define SWEEP_CAUGHT_H

#include "lib/types.h"

struct caught {
	u64 sync, serror;
	u64 esr;       /* of the first synchronous one */
};
extern struct caught caught;

/* Runs a statement whose exceptions count; a virtual SError is taken before it ends. */
#define CATCH(statement)                                 \
	do {                                             \
		caught = (struct caught){ 0 };           \
		asm volatile("" : : : "memory");         \
		statement;                               \
		asm volatile("isb" : : : "memory");      \
	} while (0)

/* start.S: an instruction that is UNDEFINED everywhere. */
void provoke(void);

#endif
