/* SPDX-License-Identifier: Apache-2.0 */
/* The board's GICv3 (IHI 0069): one security state, affinity routing on, every interrupt in group 1 but EL2's timer. */
#include "board/gic.h"
#include "arch/arch.h"
#include "board/board.h"

#define GICD_CTLR       (GICD_PA + 0x0000)
#define GICD_TYPER      (GICD_PA + 0x0004)
#define GICD_IGROUPR    (GICD_PA + 0x0080)
#define GICD_ISENABLER  (GICD_PA + 0x0100)
#define GICD_ICENABLER  (GICD_PA + 0x0180)
#define GICD_IPRIORITYR (GICD_PA + 0x0400)
#define GICD_IROUTER    (GICD_PA + 0x6000)
#define GICD_PIDR2      (GICD_PA + 0xffe8)
#define CTLR_ENABLE_GRP0 BIT(0)
#define CTLR_ENABLE_GRP1 BIT(1)
#define CTLR_ARE         BIT(4)
#define CTLR_DS          BIT(6)
#define CTLR_RWP         BIT(31)

#define GICR(cpu)        ((u64)GICR_PA + (u64)(cpu) * GICR_STRIDE)
#define GICR_TYPER       0x0008
#define GICR_WAKER       0x0014
#define GICR_SGI         0x10000
#define WAKER_SLEEP      BIT(1)
#define WAKER_ASLEEP     BIT(2)

#define PRIORITY         0x80808080u /* the guest's interrupts, and EL2's of no hurry */
#define URGENT           0x40        /* EL2's that wake it while the guest is stopped */
#define URGENT_ONLY      0x60        /* ICC_PMR_EL1 between the two priorities */

#define SRE    BIT(0) /* ICC_SRE_ELx: System registers */
#define DFB    BIT(1) /* no bypass of FIQ, IRQ */
#define DIB    BIT(2)
#define ENABLE BIT(3) /* EL1 reaches its own ICC_SRE_EL1 */

static bool group0; /* group 0 is EL2's, and its interrupts are FIQs */

static void wait_for_writes(void)
{
	for (unsigned i = 0; i < 100000 && mmio_read32(GICD_CTLR) & CTLR_RWP; i++)
		;
}

static COLD void make_urgent(u64 base, u32 irq)
{
	u64 reg = base + 0x400 + irq / 4 * 4;
	unsigned shift = irq % 4 * 8;

	mmio_write32(reg, (mmio_read32(reg) & ~(0xffu << shift)) | URGENT << shift);
}

COLD unsigned gic_version(void)
{
	return FIELD(sysreg_read(id_aa64pfr0_el1), 27, 24) ? FIELD(mmio_read32(GICD_PIDR2), 7, 4) : 2;
}

bool gic_has_fiq(void)
{
	return group0;
}

COLD void gic_init(void)
{
	u32 lines = (mmio_read32(GICD_TYPER) & 0x1f) + 1; /* words of 32 interrupts */

	mmio_write32(GICD_CTLR, 0);
	wait_for_writes();
	mmio_write32(GICD_CTLR, CTLR_ARE);
	for (u32 i = 1; i < lines; i++) {
		mmio_write32(GICD_ICENABLER + 4 * i, ~0u);
		mmio_write32(GICD_IGROUPR + 4 * i, ~0u);
		for (u32 j = 0; j < 8; j++)
			mmio_write32(GICD_IPRIORITYR + 32 * i + 4 * j, PRIORITY);
	}
	make_urgent(GICD_PA, IRQ_UART);
	gic_route_uart(0);
	/* With two security states group 0 is the secure state's, and ICC_IGRPEN0_EL1 may be EL3's ("GICD_CTLR.DS"). */
	group0 = mmio_read32(GICD_CTLR) & CTLR_DS;
	mmio_write32(GICD_CTLR, CTLR_ARE | CTLR_ENABLE_GRP1 | (group0 ? CTLR_ENABLE_GRP0 : 0));
	wait_for_writes();
}

COLD void gic_cpu_init(u32 cpu)
{
	u64 sgi = GICR(cpu) + GICR_SGI;

	mmio_write32(GICR(cpu) + GICR_WAKER, mmio_read32(GICR(cpu) + GICR_WAKER) & ~(u32)WAKER_SLEEP);
	for (unsigned i = 0; i < 100000 && mmio_read32(GICR(cpu) + GICR_WAKER) & WAKER_ASLEEP; i++)
		;
	mmio_write32(sgi + 0x180, ~0u);  /* ICENABLER0 */
	mmio_write32(sgi + 0x380, ~0u);  /* ICACTIVER0: a timer that was active when this CPU went off */
	mmio_write32(sgi + 0x080, ~(group0 ? 1u << IRQ_HYP_TIMER : 0)); /* IGROUPR0: EL2's timer is an FIQ */
	for (u32 i = 0; i < 8; i++)
		mmio_write32(sgi + 0x400 + 4 * i, PRIORITY);
	make_urgent(sgi, SGI_STOP);
	make_urgent(sgi, IRQ_HYP_TIMER);

	/*
	 * System registers for EL2 and then EL1, which cannot switch them off: without Enable its accesses to
	 * ICC_SRE_EL1 trap, unless the bit is RAO/WI ("ICC_SRE_EL2"). EOImode 1: EOIR drops the priority, DIR
	 * deactivates.
	 */
	sysreg_write(icc_sre_el2, SRE | DFB | DIB | ENABLE);
	isb();
	sysreg_write(icc_sre_el1, SRE | DFB | DIB);
	isb();
	sysreg_write(icc_sre_el2, SRE | DFB | DIB);
	isb();
	sysreg_write(icc_ctlr_el1, sysreg_read(icc_ctlr_el1) | BIT(1));
	sysreg_write(icc_pmr_el1, 0xff);
	sysreg_write(icc_bpr1_el1, 0);
	if (group0)
		sysreg_write(icc_igrpen0_el1, 1);
	sysreg_write(icc_igrpen1_el1, 1);
	isb();
	gic_enable(cpu, SGI_KICK, true);
	gic_enable(cpu, SGI_STOP, true);
	gic_enable(cpu, SGI_ALARM, true);
	gic_enable(cpu, IRQ_MAINTENANCE, true);
	gic_enable(cpu, IRQ_HYP_TIMER, true);
	if (cpu == 0)
		gic_enable(cpu, IRQ_UART, true);
}

u32 gic_acknowledge(void)
{
	u32 irq = (u32)sysreg_read(icc_iar1_el1) & 0xffffff;

	dsb_sy(); /* the device must see the acknowledge before the handler's accesses */
	return irq;
}

void gic_drop(u32 irq)
{
	sysreg_write(icc_eoir1_el1, irq);
	isb();
}

u32 gic_fiq_begin(void)
{
	return (u32)sysreg_read(icc_iar0_el1);
}

void gic_fiq_end(u32 irq)
{
	sysreg_write(icc_eoir0_el1, irq);
	gic_deactivate(irq);
}

void gic_deactivate(u32 irq)
{
	sysreg_write(icc_dir_el1, irq);
}

void gic_deactivate_of(u32 cpu, u32 irq)
{
	mmio_write32(GICR(cpu) + GICR_SGI + 0x380, 1u << irq); /* ICACTIVER0 */
}

u32 gic_pending_ppis(u32 cpu)
{
	return mmio_read32(GICR(cpu) + GICR_SGI + 0x200); /* ISPENDR0 */
}

COLD void gic_configure(u32 cpu, u32 irq, bool edge)
{
	u64 reg = GICR(cpu) + GICR_SGI + 0xc04; /* ICFGR1 */
	u32 bit = 2u << 2 * (irq - 16);

	mmio_write32(reg, edge ? mmio_read32(reg) | bit : mmio_read32(reg) & ~bit);
}

COLD void gic_sleep(void)
{
	u64 hcr = sysreg_read(ich_hcr_el2);

	/* Sleeps with the guest's interrupts masked and its list registers off: neither may end the sleep. */
	sysreg_write(ich_hcr_el2, hcr & ~BIT(0));
	sysreg_write(icc_pmr_el1, URGENT_ONLY);
	isb();
	wfi();
	sysreg_write(icc_pmr_el1, 0xff);
	sysreg_write(ich_hcr_el2, hcr);
	isb();
}

void gic_forget(u32 cpu, u32 mask)
{
	mmio_write32(GICR(cpu) + GICR_SGI + 0x280, mask); /* ICPENDR0 */
}

void gic_enable(u32 cpu, u32 irq, bool on)
{
	u64 base = irq < 32 ? GICR(cpu) + GICR_SGI : GICD_PA;
	u32 offset = on ? 0x100 : 0x180;

	mmio_write32(base + offset + irq / 32 * 4, 1u << irq % 32);
}

void gic_send_sgi(u32 cpu, u32 irq)
{
	dsb_ish(); /* the CPU that it interrupts sees all stores before it */
	/* QEMU virt numbers the CPUs of its one cluster by Aff0, up to 16. */
	sysreg_write(icc_sgi1r_el1, (u64)irq << 24 | 1u << cpu);
	isb();
}

void gic_route(u32 irq, u32 cpu)
{
	mmio_write64(GICD_IROUTER + 8 * irq, cpu);
}

void gic_route_uart(u32 cpu)
{
	gic_route(IRQ_UART, cpu);
}

COLD unsigned gic_count_cpus(void)
{
	unsigned n = 0;

	while (n < MAX_CPUS && !(mmio_read64(GICR(n) + GICR_TYPER) & BIT(4)))
		n++;
	return n < MAX_CPUS ? n + 1 : MAX_CPUS;
}
