/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakpoints, watchpoints and single steps of the guest. EL2 has the debug registers only while a point or step is
 * armed; the guest's accesses to them then go to a shadow, whose values it gets back afterwards.
 */
#ifndef HV_DEBUG_H
#define HV_DEBUG_H

#include "trap/operator.h"
#include "vm/debugregs.h"

enum point_owner { POINT_FREE, POINT_OPERATOR, POINT_GDB, POINT_ONCE };

/* Slot n is DBGBVRn/DBGBCRn, slot DEBUG_CODE + n is DBGWVRn/DBGWCRn. */
struct debug_point {
	u64 va, operand;
	u32 hits;
	u8 owner;  /* enum point_owner */
	u8 access; /* watchpoints: DBGWCR.LSC, 1 load, 2 store */
	u8 size;   /* watchpoints: 1 to 8 bytes, inside one doubleword */
	u8 test;   /* condition $xREG TEST operand: '=', '!', '<', '>'; 0: none */
	u8 reg;
	bool log;  /* a logpoint: recorded, and the guest goes on */
};
extern struct debug_point debug_points[DEBUG_POINTS];

/* Takes a slot; returns its number, or -1: all are in use. */
int debug_add(const struct debug_point *p, bool data);

/* Requests for the next time the guest goes on. Any stop of the guest cancels them. */
enum until { UNTIL_NOTHING, UNTIL_TRAP, UNTIL_SEQ, UNTIL_TIME };
void debug_step(struct cpu *c, u64 count, bool hold_interrupts);
void debug_until(enum until condition, u64 value);

/* monitor.c: the guest has stopped; it goes on. smp.c: a CPU that stood still goes on, or has come on. */
void debug_stop(struct cpu *c);
void debug_resume(struct cpu *c);
void debug_load(struct cpu *c);
/* smp.c: a CPU goes off. It comes on again from reset, so nothing is kept. */
void debug_off(struct cpu *c);

/* The guest's access to a debug register that EL2 uses: the decision that serves it from the shadow, or NULL. */
const struct decision *debug_shadow(struct cpu *c, const struct decision *d);

#endif
