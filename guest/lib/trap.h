/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions that the guest provokes: TRY() runs a statement, trap_caught has the outcome. */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include "guest.h"
#include "lib/types.h"

struct trap_frame {
	u64 x[31];
	u64 elr, spsr, esr, far;
	u64 pad;
};
_Static_assert(offsetof(struct trap_frame, elr) == FRAME_ELR, "start.S");
_Static_assert(offsetof(struct trap_frame, spsr) == FRAME_SPSR, "start.S");
_Static_assert(offsetof(struct trap_frame, far) == FRAME_FAR, "start.S");
_Static_assert(sizeof(struct trap_frame) == FRAME_SIZE, "start.S");

/* ESR_ELx.EC */
#define EC_UNKNOWN   0x00
#define EC_SVC64     0x15
#define EC_IABT      0x21
#define EC_PC_ALIGN  0x22
#define EC_DABT      0x25
#define EC_SERROR    0x2f
#define EC_BRK64     0x3c

#define FSC_ADDRESS_SIZE_L0 0x00
#define FSC_TRANSLATION_L1  0x05
#define FSC_TRANSLATION_L3  0x07
#define FSC_PERMISSION_L3   0x0f
#define FSC_EXTERNAL        0x10
#define FSC_EXTERNAL_WALK   0x14 /* +0..3: level */

/* The first synchronous exception since the last TRY(), and how many there were. */
struct trap_caught {
	u32 sync, serror; /* number of exceptions */
	u32 insn;         /* the instruction at ELR_EL1; 0 outside this guest's code */
	u64 esr, elr, far, spsr;
};
extern struct trap_caught trap_caught;

void trap_arm(void);
void trap_disarm(void);

/* Called for an exception without TRY(), and defined by each guest that links trap.c. `slot`: of the vector table. */
void trap_unexpected(u64 slot, const struct trap_frame *f) __attribute__((noreturn));

/*
 * True if `statement` raised no exception. An instruction that faults is skipped; a call to an address that cannot be
 * executed returns at once.
 */
#define TRY(statement)                                              \
	({                                                          \
		trap_arm();                                         \
		statement;                                          \
		trap_disarm();                                      \
		trap_caught.sync == 0 && trap_caught.serror == 0;   \
	})

static inline u32 trap_ec(void)
{
	return (u32)FIELD(trap_caught.esr, 31, 26);
}

/* DFSC or IFSC */
static inline u32 trap_fsc(void)
{
	return (u32)FIELD(trap_caught.esr, 5, 0);
}

/* Called for each IRQ, if the guest sets it. */
extern void (*trap_irq)(void);

#endif
