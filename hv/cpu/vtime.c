/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's virtual time. One offset for all CPUs, or they would drift apart. */
#include "cpu/vtime.h"
#include "arch/arch.h"

static volatile u64 hidden;
bool vtime_hides = true;

void vtime_hide(u64 ticks)
{
	if (vtime_hides)
		hidden += ticks;
	vtime_load();
}

void vtime_load(void)
{
	sysreg_write(cntvoff_el2, hidden);
}

u64 vtime_hidden(void)
{
	return hidden;
}
