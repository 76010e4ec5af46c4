/* SPDX-License-Identifier: Apache-2.0 */
/* Time, and the two functions that the compiler calls by itself. */
#include "cpu.h"
#include "expect.h"

u64 cpu_ticks(void)
{
	static const struct expect counter = EXPECT_CNTVCT_EL0_R;
	static u64 asked;

	if (counter.action != ACT_ALLOW)
		return ++asked;
	asm volatile("isb");
	return cpu_sysreg(cntvct_el0);
}

u64 cpu_ticks_per_second(void)
{
	return cpu_sysreg(cntfrq_el0); /* no control of EL2 traps it */
}

void cpu_wait_us(u64 us)
{
	u64 start = cpu_ticks(), ticks = cpu_ticks_per_second() * us / 1000000;

	while (cpu_ticks() - start < ticks)
		for (unsigned i = 0; i < 100; i++) /* under -icount an instruction takes time, and a look at the counter effort */
			asm volatile("");
}

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

/* The attribute keeps the compiler from turning the loop into a call of memcpy(). */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memcpy(void *to, const void *from, size_t n)
{
	u8 *t = to;
	const u8 *f = from;

	while (n--)
		*t++ = *f++;
	return to;
}

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memset(void *to, int byte, size_t n)
{
	u8 *t = to;

	while (n--)
		*t++ = (u8)byte;
	return to;
}
