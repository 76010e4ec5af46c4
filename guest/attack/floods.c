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

/* The GIC from all sides: frames of every CPU, SGIs, SPIs that change their target, groups on and off; interrupts are taken. */
static void interrupts(u64 cpu, u64 n)
{
	u64 some = (n * 0x9e3779b97f4a7c15UL + cpu * 0xc2b2ae3d27d4eb4fUL) >> 16, frame = GUEST_GICR_SGI + some % CPUS * 0x20000;
	u64 bits = 0x80 * (some / 8 % 7 + 1), v = some >> 8 & (some / 64 % 4 ? 0x0c00ffff : 0xffff);
	u64 spi = 32 + some / 16 % 3 * 32 + some / 256 % 32;

	switch (some / 1024 % 8) {
	case 0: cpu_write(frame + bits, 2, v); break;
	case 1: cpu_read(frame + bits, 2); break;
	case 2: cpu_write(frame + 0x400 + some % 32 / 4 * 4, 2, v << 3); break;
	case 3: cpu_set_sysreg(icc_sgi1r_el1, some % 256 | some / 256 % 16 << 24 | (some / 4096 % 8 ? 0 : BIT(40))); break;
	case 4: cpu_write(GUEST_GICD + bits + spi / 32 * 4, 2, 1u << spi % 32); break;
	case 5: cpu_read(GUEST_GICD + bits + spi / 32 * 4, 2); break;
	case 6: cpu_write(GUEST_GICD + 0x6000 + 8 * spi, 3, some % CPUS); break;
	case 7:
		if (n % 64 == 0)
			cpu_write(GUEST_GICD, 2, some % 4);
		for (unsigned i = 0; i < 4; i++) {
			u64 irq = cpu_sysreg(icc_iar1_el1);

			if (irq < 1020)
				cpu_set_sysreg(icc_eoir1_el1, irq);
		}
		break;
	}
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

	if (kind == 'g') {
		cpu_set_sysreg(icc_pmr_el1, 0xff);
		cpu_set_sysreg(icc_igrpen1_el1, 1);
		for (u64 n = 0;; n++)
			interrupts(cpu, n);
	}
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
