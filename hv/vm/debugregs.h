/* SPDX-License-Identifier: Apache-2.0 */
/* The breakpoint and watchpoint registers of a CPU, by number: slot n is DBGBVRn, slot DEBUG_CODE + n is DBGWVRn. */
#ifndef HV_DEBUGREGS_H
#define HV_DEBUGREGS_H

#include "lib/types.h"

/* Points that EL2 uses, at most (ID_AA64DFR0_EL1 may have fewer). */
#define DEBUG_CODE   6
#define DEBUG_DATA   4
#define DEBUG_POINTS (DEBUG_CODE + DEBUG_DATA)

/* debugregs.c. How many points of a kind this CPU has, of those that are used; whether it has this slot. */
unsigned debug_slots(bool data);
truth debug_there(unsigned point);
/* The stub in debugregs.S, for replay_read() and replay_write(), of the slot's value or control register. */
const char *debug_register(unsigned point, bool control);

#endif
