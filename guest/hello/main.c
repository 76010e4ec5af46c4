/* SPDX-License-Identifier: Apache-2.0 */
/* A small kernel: it says hello, turns its MMU on, counts three ticks of the timer, and powers off. */
#include <stdint.h>

#define UART     0x09000000UL /* PL011 */
#define GICD     0x08000000UL /* GICv3: the distributor, and the redistributor of CPU 0 with its page of SGIs and PPIs */
#define GICR     0x080a0000UL
#define GICR_SGI (GICR + 0x10000)
#define TIMER    27 /* INTID of the virtual timer */
#define TICKS    3

#define read(register) ({ uint64_t v; __asm__ volatile("mrs %0, " #register : "=r"(v)); v; })
#define write(register, value) __asm__ volatile("msr " #register ", %0" : : "r"((uint64_t)(value)) : "memory")

void main(void);
void interrupt(void);
void unexpected(uint64_t esr, uint64_t elr);
void power_off(void) __attribute__((noreturn));

static uint64_t table[512] __attribute__((aligned(4096)));
static volatile unsigned ticks;

static volatile uint32_t *reg(uint64_t address)
{
	return (volatile uint32_t *)address;
}

static void print(const char *text)
{
	for (; *text; text++)
		*reg(UART) = (uint8_t)*text; /* UARTDR; QEMU's is never full */
}

static void print_hex(uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*reg(UART) = (uint8_t)"0123456789abcdef"[v >> shift & 15];
	print("\n");
}

/* Two blocks of 1 GiB, where they are: devices, then RAM. */
static void mmu_on(void)
{
	table[0] = 0x00000000 | 1UL << 54 | 1UL << 53 | 1 << 10 | 0 << 2 | 1; /* never executed, accessed, attribute 0 */
	table[1] = 0x40000000 | 3 << 8 | 1 << 10 | 1 << 2 | 1;                /* inner shareable, attribute 1 */
	write(mair_el1, 0xff00);              /* attribute 0: Device-nGnRnE, 1: write-back */
	write(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2UL << 32); /* 39 bits below, nothing above */
	write(ttbr0_el1, table);
	__asm__ volatile("dsb ish; tlbi vmalle1; dsb ish; isb" : : : "memory");
	write(sctlr_el1, read(sctlr_el1) | 1 << 12 | 1 << 2 | 1);
	__asm__ volatile("isb");
}

static void gic_on(void)
{
	*reg(GICD) = 1 << 4 | 1 << 1;               /* GICD_CTLR: affinity routing, group 1 */
	*reg(GICR + 0x14) = 0;                      /* GICR_WAKER */
	while (*reg(GICR + 0x14) & 4)               /* ChildrenAsleep */
		;
	*reg(GICR_SGI + 0x80) = 1u << TIMER;        /* GICR_IGROUPR0: group 1 */
	*reg(GICR_SGI + 0x100) = 1u << TIMER;       /* GICR_ISENABLER0 */
	write(icc_sre_el1, 1);
	__asm__ volatile("isb");
	write(icc_pmr_el1, 0xff);
	write(icc_igrpen1_el1, 1);
}

static void timer_again(void)
{
	write(cntv_tval_el0, read(cntfrq_el0) / 100); /* in 10 ms */
	write(cntv_ctl_el0, 1);
}

void interrupt(void)
{
	uint64_t intid = read(icc_iar1_el1);

	if (intid == TIMER) {
		ticks++;
		print("tick\n");
		timer_again();
	}
	write(icc_eoir1_el1, intid);
}

void unexpected(uint64_t esr, uint64_t elr)
{
	print("hello: an exception that nobody expected, ESR_EL1 0x");
	print_hex(esr);
	print("  at 0x");
	print_hex(elr);
	power_off();
}

void main(void)
{
	*reg(UART + 0x30) = 0x301; /* UARTCR: on, both ways */
	print("hello from EL1\n");
	mmu_on();
	print("the MMU is on\n");
	gic_on();
	timer_again();
	__asm__ volatile("msr daifclr, #2");
	while (ticks < TICKS)
		__asm__ volatile("wfi");
	__asm__ volatile("msr daifset, #2");
	print("goodbye\n");
	power_off();
}
