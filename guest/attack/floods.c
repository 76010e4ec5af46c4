/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endless floods on all CPUs, to keep EL2 from its operator or its evidence off the line (make GUEST=attack FLOODS=1).
 * A key chooses one; input after that is not read.
 */
#include "cpu.h"
#include "floods.h"
#include "guest.h"

#define CPU_ON     0xc4000003
#define CPUS       8
#define UART_FR    (GUEST_UART + 0x18)
#define FR_RXFE    BIT(4)
#define UNKNOWN    0x90000000 /* calls that the policy denies */

void main_again(u64 cpu);
extern char second[];

static char text[4096];
static volatile u64 kind;

static void refused(u64 n)
{
	cpu_hvc(UNKNOWN + n % 4096, 0, 0, 0);
	cpu_smc(UNKNOWN + n % 4096, 0, 0, 0);
}

static void store_line(void)
{
	for (unsigned i = 0; i < 63; i++)
		cpu_write(GUEST_UART, 0, '.');
	cpu_write(GUEST_UART, 0, '\n');
}

static void flood(u64 what, u64 n)
{
	switch (what) {
	case 'h': cpu_hvc(4, (u64)text, sizeof(text), 0); break;
	case 'p': store_line(); break;
	case 'r': refused(n); break;
	case 's': cpu_set_sysreg(icc_sgi1r_el1, BIT(40) | n % 16 << 24); break;
	case 'o': cpu_write(GUEST_UART, 0, '.'); refused(n); break;
	case 'd': cpu_write(GUEST_GICD + 0x104, 2, ~0UL); cpu_write(GUEST_GICR_SGI + 0x100, 2, 1); break;
	}
}

static void __attribute__((noreturn)) go(u64 cpu)
{
	static const char mix[] = "hprsod";

	if (kind == 's' || kind == 'm') { /* SGIs with a target */
		cpu_write(GUEST_GICD, 2, 2);
		cpu_write(GUEST_GICR_SGI + cpu * 0x20000 + 0x80, 2, ~0UL);
		cpu_write(GUEST_GICR_SGI + cpu * 0x20000 + 0x100, 2, 0xffff);
	}
	for (u64 n = 0;; n++)
		flood(kind == 'm' ? (u64)mix[cpu % (sizeof(mix) - 1)] : kind, n);
}

void main_again(u64 cpu)
{
	go(cpu);
}

/* Begins a line, makes a hundred calls that are refused, and then prints nothing any more, asleep or awake. */
static void __attribute__((noreturn)) withhold(bool sleeps)
{
	cpu_write(GUEST_UART, 0, 'l');
	cpu_write(GUEST_UART, 0, ':');
	for (unsigned i = 0; i < 100; i++)
		cpu_smc(UNKNOWN + i, 0, 0, 0);
	for (;;) {
		if (sleeps)
			asm volatile("wfi");
		else
			asm volatile("nop");
	}
}

void floods(void)
{
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = i % 64 == 63 ? '\n' : '.';
	cpu_write(GUEST_UART + 0x30, 2, 0x301); /* UARTCR: receiver on, so that typed bytes are not the monitor's */
	for (const char *s = "attack: floods\n"; *s; s++)
		cpu_write(GUEST_UART, 0, (u64)*s);
	while (cpu_read(UART_FR, 2) & FR_RXFE)
		;
	kind = cpu_read(GUEST_UART, 2);
	asm volatile("dsb sy" : : : "memory");
	if (kind == 'l' || kind == 'w')
		withhold(kind == 'w');
	for (u64 i = 1; i < CPUS; i++) /* by the conduit that the policy gives */
		if ((s64)cpu_hvc(CPU_ON, i, (u64)second, i))
			cpu_smc(CPU_ON, i, (u64)second, i);
	go(0);
}
