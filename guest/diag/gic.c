/* SPDX-License-Identifier: Apache-2.0 */
/* GICv3 as a guest drives it (GIC architecture, "Programming the GIC"): one CPU, group 1. */
#include "gic.h"
#include "cpu.h"
#include "expect.h"
#include "guest.h"

#define GICD_CTLR         (GUEST_GICD + 0x0000)
#define GICD_CTLR_ARE     BIT(4)
#define GICD_CTLR_GRP1    BIT(1)
#define GICR_WAKER        (GUEST_GICR + 0x0014)
#define GICR_WAKER_SLEEP  BIT(1)
#define GICR_WAKER_ASLEEP BIT(2)
#define GICR_IGROUPR0     (GUEST_GICR_SGI + 0x080)
#define GICR_ISENABLER0   (GUEST_GICR_SGI + 0x100)
#define GICR_ICENABLER0   (GUEST_GICR_SGI + 0x180)
#define GICR_ISPENDR0     (GUEST_GICR_SGI + 0x200)
#define GICR_ISACTIVER0   (GUEST_GICR_SGI + 0x300)
#define GICR_IPRIORITYR   (GUEST_GICR_SGI + 0x400)

bool gic_usable(const char **missing)
{
	static const struct {
		const char *name;
		struct expect e;
	} needs[] = {
		{ "GICD_CTLR", EXPECT_GICD_CTLR_W4 },
		{ "GICR_WAKER", EXPECT_GICR_WAKER_W4 },
		{ "GICR_WAKER", EXPECT_GICR_WAKER_R4 },
		{ "GICR_ISENABLER0", EXPECT_GICR_ISENABLER0_W4 },
		{ "GICR_ISPENDR0", EXPECT_GICR_ISPENDR0_R4 },
		{ "GICR_IPRIORITYR", EXPECT_GICR_PRIORITY_W1 },
		{ "ICC_PMR_EL1", EXPECT_ICC_PMR_EL1_W },
		{ "ICC_IGRPEN1_EL1", EXPECT_ICC_IGRPEN1_EL1_W },
		{ "ICC_IAR1_EL1", EXPECT_ICC_IAR1_EL1_R },
		{ "ICC_EOIR1_EL1", EXPECT_ICC_EOIR1_EL1_W },
		{ "ICC_HPPIR1_EL1", EXPECT_ICC_HPPIR1_EL1_R },
		{ "ICC_RPR_EL1", EXPECT_ICC_RPR_EL1_R },
		{ "ISR_EL1", EXPECT_ISR_EL1_R },
		{ "CNTV_CTL_EL0", EXPECT_CNTV_CTL_EL0_W },
		{ "CNTV_CVAL_EL0", EXPECT_CNTV_CVAL_EL0_W },
		{ "CNTVCT_EL0", EXPECT_CNTVCT_EL0_R },
	};

	for (u32 i = 0; i < ARRAY_SIZE(needs); i++) {
		*missing = needs[i].name;
		if (!expect_works(&needs[i].e) || !expect_affords(&needs[i].e, 200))
			return false;
	}
	return true;
}

bool gic_init(void)
{
	u32 patience = 1000;

	cpu_write(GICD_CTLR, 2, GICD_CTLR_ARE);
	cpu_write(GICD_CTLR, 2, GICD_CTLR_ARE | GICD_CTLR_GRP1);
	cpu_write(GICR_WAKER, 2, cpu_read(GICR_WAKER, 2) & ~GICR_WAKER_SLEEP);
	while (cpu_read(GICR_WAKER, 2) & GICR_WAKER_ASLEEP && patience)
		patience--;
	cpu_write(GICR_ICENABLER0, 2, 0xffffffff);
	cpu_write(GICR_IGROUPR0, 2, 0xffffffff);
	gic_set_priority(GIC_SGI, 0x80);
	gic_set_priority(GIC_VTIMER, 0x80);
	cpu_set_sysreg(icc_pmr_el1, 0xf0);
	cpu_set_sysreg(icc_igrpen1_el1, 1);
	return patience;
}

void gic_enable(u32 irq, bool on)
{
	cpu_write(on ? GICR_ISENABLER0 : GICR_ICENABLER0, 2, BIT(irq));
}

void gic_set_priority(u32 irq, u8 priority)
{
	cpu_write(GICR_IPRIORITYR + irq, 0, priority);
}

void gic_set_pending(u32 irq)
{
	cpu_write(GICR_ISPENDR0, 2, BIT(irq));
}

bool gic_is_pending(u32 irq)
{
	return cpu_read(GICR_ISPENDR0, 2) & BIT(irq);
}

bool gic_is_active(u32 irq)
{
	return cpu_read(GICR_ISACTIVER0, 2) & BIT(irq);
}

u32 gic_acknowledge(void)
{
	return (u32)cpu_sysreg(icc_iar1_el1);
}

void gic_end(u32 irq)
{
	cpu_set_sysreg(icc_eoir1_el1, irq);
}

void gic_send_sgi(u32 irq)
{
	cpu_set_sysreg(icc_sgi1r_el1, (u64)irq << 24 | 1); /* this CPU: affinity 0.0.0.0 */
}
