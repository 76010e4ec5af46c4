/* SPDX-License-Identifier: Apache-2.0 */
/* Runs every loop of start.S and prints its ticks; bench.py turns them into instructions. */
#include "platform.h"

typedef unsigned long u64;

_Static_assert(GUEST_IPA == 0x40000000 && GICD_PA == 0x08000000 && UART0_PA == 0x09000000,
	       "guest/bench has the addresses of qemu-virt as numbers");

#define HVC_PAUSE         3
#define HVC_CONSOLE_WRITE 4
#define ROUNDS            4096
#define TRACED            3 /* for single rounds: the first ones fill QEMU's caches, which say nothing of EL2 */

static char line[96];
static unsigned used;

static u64 hvc(u64 function, u64 a, u64 b)
{
	register u64 x0 asm("x0") = function;
	register u64 x1 asm("x1") = a;
	register u64 x2 asm("x2") = b;
	register u64 x3 asm("x3") = 0;

	asm volatile("hvc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

static void text(const char *s)
{
	while (*s && used < sizeof(line))
		line[used++] = *s++;
}

static void number(u64 v)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n && used < sizeof(line))
		line[used++] = digits[--n];
}

static void tell(const char *name, u64 rounds, u64 ticks)
{
	used = 0;
	text("bench ");
	text(name);
	text(" ");
	number(rounds);
	text(" ");
	number(ticks);
	text("\n");
	hvc(HVC_CONSOLE_WRITE, (u64)line, used);
}

#define PLAIN(X) X(known_0) X(known_1) X(known_10) X(known_100)
#define PAIRS(X) X(hvc) X(psci) X(id) X(masked) X(denied) X(typer) X(enable_read) X(enable_write) X(sgi) X(uart_flags) \
	X(uart_mask) X(denied_mmio) X(unlogged) X(logged)
#define LATE(X) X(sgi_self) X(redist_write)

#define DECLARE(name) u64 bench_##name(u64 rounds);
#define DECLARE_BOTH(name) DECLARE(name) DECLARE(base_##name)
PLAIN(DECLARE)
PAIRS(DECLARE_BOTH)
LATE(DECLARE_BOTH)
extern const char timer_pad[];
void bench_timer(u64 ticks, const void *pad, u64 out[2]);
void main(u64 boot);

static void timer(u64 rounds)
{
	u64 latency = 0, end = 0, out[2];
	volatile unsigned *isenabler0 = (volatile unsigned *)0x080b0100;

	asm volatile("msr icc_sre_el1, %0; isb" : : "r"(7UL));
	asm volatile("msr icc_pmr_el1, %0; msr icc_igrpen1_el1, %1; isb" : : "r"(0xf0UL), "r"(1UL));
	*(volatile unsigned *)0x08000000 = 0x12; /* GICD_CTLR: group 1, affinity routing */
	*(volatile unsigned *)0x080b0080 = ~0u;  /* GICR_IGROUPR0 */
	*isenabler0 = 1u << 27;
	/*
	 * A single reading is rounded, but their sum over sixteen paddings is exact: floor(l/16) + ... +
	 * floor((l+15)/16) = l.
	 */
	for (u64 i = 0; i < rounds; i++)
		for (unsigned pad = 0; pad < 16; pad++) {
			bench_timer(40 + i % 7, timer_pad + 4 * (16 - pad), out);
			latency += out[0];
			end += out[1];
		}
	tell("timer", rounds, latency);
	tell("timer_eoi", rounds * 16, end);
}

void main(u64 boot)
{
	u64 n = hvc(HVC_PAUSE, 0, 0) == 1 ? ROUNDS : TRACED; /* 1: skipped, unattended */

	tell("boot", 1, boot);
#define RUN(name) tell(#name, n, bench_##name(n));
#define RUN_BOTH(name) RUN(base_##name) RUN(name)
	PLAIN(RUN)
	PAIRS(RUN_BOTH)
	timer(n > 64 ? 64 : 1);
	LATE(RUN_BOTH)
	tell("end", 1, 0);
}
