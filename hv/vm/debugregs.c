/* SPDX-License-Identifier: Apache-2.0 */
/* The breakpoint and watchpoint registers of this CPU, by number. */
#include "vm/debugregs.h"
#include "arch/arch.h"

extern const char debug_registers[]; /* arch/debugregs.S: 32 bytes a point */

const char *debug_register(unsigned point, bool control)
{
	return debug_registers + 32 * point + 16 * control;
}

unsigned debug_slots(bool data)
{
	u64 dfr0 = sysreg_read(id_aa64dfr0_el1);
	unsigned n = (unsigned)(data ? FIELD(dfr0, 23, 20) : FIELD(dfr0, 15, 12)) + 1, most = data ? DEBUG_DATA : DEBUG_CODE;

	return n < most ? n : most;
}

truth debug_there(unsigned point)
{
	return point < DEBUG_CODE ? point < debug_slots(false) : point - DEBUG_CODE < debug_slots(true);
}
