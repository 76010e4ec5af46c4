/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual timer's interrupt through the guest's GIC, software interrupts, priorities, and WFI. */
#include "check.h"
#include "cpu.h"
#include "gic.h"
#include "trap.h"

#define CTL_ENABLE   1
#define CTL_IMASK    2
#define ISR_IRQ      BIT(7)
#define TICKS_WANTED 5

static bool irq_signalled(void)
{
	return cpu_sysreg(isr_el1) & ISR_IRQ;
}

static void timer_start(u64 us, u64 control)
{
	cpu_set_sysreg(cntv_cval_el0, cpu_ticks() + cpu_ticks_per_second() * us / 1000000);
	cpu_set_sysreg(cntv_ctl_el0, control);
}

static void timer_stop(void)
{
	cpu_set_sysreg(cntv_ctl_el0, 0);
}

/* True if an IRQ is signalled within a second. */
static bool wait_for_irq(void)
{
	u64 start = cpu_ticks();

	while (!irq_signalled())
		if (cpu_ticks() - start > cpu_ticks_per_second())
			return false;
	return true;
}

/* Acknowledges the expected interrupt and ends it; a timer that is still due would fire again. */
static void take(const char *what, u32 expected)
{
	u32 irq = gic_acknowledge();

	timer_stop();
	if (irq < 1020)
		gic_end(irq);
	check_equal("interrupt", what, expected, irq);
}

/* One interrupt's life, looked at step by step with IRQs masked. */
static void run_states(void)
{
	bool pending, active;
	u32 irq;

	check_equal("interrupt", "nothing to acknowledge", GIC_NOTHING, gic_acknowledge());
	timer_start(500, CTL_ENABLE);
	if (!check_true("timer", "its interrupt is signalled", wait_for_irq(), cpu_sysreg(cntv_ctl_el0)))
		return;
	pending = gic_is_pending(GIC_VTIMER);
	active = gic_is_active(GIC_VTIMER);
	check_true("timer", "pending, not active", pending && !active, (u64)pending | (u64)active << 1);
	check_equal("timer", "highest pending", GIC_VTIMER, cpu_sysreg(icc_hppir1_el1));
	irq = gic_acknowledge();
	check_equal("timer", "acknowledged", GIC_VTIMER, irq);
	check_equal("timer", "running priority", 0x80, cpu_sysreg(icc_rpr_el1) & 0xff);
	check_true("timer", "active", gic_is_active(GIC_VTIMER), 0);
	check_equal("timer", "no second one while active", GIC_NOTHING, gic_acknowledge());
	timer_stop();
	gic_end(irq);
	pending = gic_is_pending(GIC_VTIMER);
	active = gic_is_active(GIC_VTIMER);
	check_true("timer", "neither pending nor active after EOI", !pending && !active,
		   (u64)pending | (u64)active << 1);
	check_equal("timer", "idle priority after EOI", 0xf8, cpu_sysreg(icc_rpr_el1) & 0xf8);
}

/* Four places that can hold the interrupt back. */
static void run_masks(void)
{
	timer_start(0, CTL_ENABLE | CTL_IMASK);
	cpu_wait_us(1000);
	check_true("timer", "no interrupt while CNTV_CTL_EL0.IMASK is set", !irq_signalled(), 1);
	timer_stop();

	gic_enable(GIC_VTIMER, false);
	timer_start(0, CTL_ENABLE);
	cpu_wait_us(1000);
	check_true("timer", "no interrupt while disabled in the redistributor", !irq_signalled(), 1);
	gic_enable(GIC_VTIMER, true);
	check_true("timer", "it comes once enabled", wait_for_irq(), 0);
	take("timer, enabled late", GIC_VTIMER);

	cpu_set_sysreg(icc_pmr_el1, 0x40);
	timer_start(0, CTL_ENABLE);
	cpu_wait_us(1000);
	check_true("timer", "no interrupt below ICC_PMR_EL1", !irq_signalled(), 1);
	cpu_set_sysreg(icc_pmr_el1, 0xf0);
	check_true("timer", "it comes once the mask is lifted", wait_for_irq(), 0);
	take("timer, unmasked late", GIC_VTIMER);

	cpu_set_sysreg(icc_igrpen1_el1, 0);
	timer_start(0, CTL_ENABLE);
	cpu_wait_us(1000);
	check_true("timer", "no interrupt while the group is disabled", !irq_signalled(), 1);
	cpu_set_sysreg(icc_igrpen1_el1, 1);
	check_true("timer", "it comes once the group is enabled", wait_for_irq(), 0);
	take("timer, group enabled late", GIC_VTIMER);
}

static void run_software(void)
{
	static const struct expect sgi = EXPECT_ICC_SGI1R_EL1_W;

	gic_set_pending(GIC_SGI);
	check_true("interrupt", "made pending by GICR_ISPENDR0", wait_for_irq(), 0);
	take("SGI by GICR_ISPENDR0", GIC_SGI);

	if (!expect_works(&sgi) || !expect_affords(&sgi, 10)) {
		check_untried("SGI", "ICC_SGI1R_EL1", &sgi);
		return;
	}
	gic_send_sgi(GIC_SGI);
	check_true("SGI", "sent to itself", wait_for_irq(), 0);
	take("SGI", GIC_SGI);

	/* Both are pending; the more urgent one must come first, although it came last. */
	gic_set_priority(GIC_SGI, 0x40);
	timer_start(0, CTL_ENABLE);
	wait_for_irq();
	gic_send_sgi(GIC_SGI);
	check_equal("SGI", "overtakes a timer of lower priority", GIC_SGI, gic_acknowledge());
	gic_end(GIC_SGI);
	wait_for_irq();
	take("timer, overtaken", GIC_VTIMER);
}

static volatile u32 ticks, others;
static u64 period;

static void on_irq(void)
{
	u32 irq = gic_acknowledge();

	if (irq == GIC_VTIMER) {
		ticks++;
		cpu_set_sysreg(cntv_cval_el0, cpu_sysreg(cntv_cval_el0) + period);
		if (ticks == TICKS_WANTED)
			timer_stop();
	} else {
		others++;
	}
	if (irq < 1020)
		gic_end(irq);
}

/* The vector, several times, at the rate that was set. */
static void run_ticks(void)
{
	u64 start, elapsed, us = 2000;

	period = cpu_ticks_per_second() * us / 1000000;
	trap_irq = on_irq;
	start = cpu_ticks();
	timer_start(us, CTL_ENABLE);
	asm volatile("msr daifclr, #2" : : : "memory");
	while (ticks < TICKS_WANTED && cpu_ticks() - start < cpu_ticks_per_second())
		;
	asm volatile("msr daifset, #2" : : : "memory");
	elapsed = cpu_ticks() - start;
	timer_stop();
	trap_irq = NULL;
	check_equal("timer", "interrupts taken by the vector", TICKS_WANTED, ticks);
	check_equal("timer", "interrupts that nobody sent", 0, others);
	check_true("timer", "none came early", elapsed >= TICKS_WANTED * period, elapsed);
}

/* WFI with IRQs masked: an interrupt that is signalled ends it, and stays pending. */
static void run_wfi(void)
{
	static const struct expect wfi = EXPECT_WFI;
	u64 start, us = 5000;
	u32 times = 0;

	if (!expect_returns(&wfi) || !expect_affords(&wfi, 200)) {
		check_untried("WFI", "with the timer", &wfi);
		return;
	}
	start = cpu_ticks();
	timer_start(us, CTL_ENABLE);
	if (wfi.action == ACT_ALLOW) {
		/* WFI may end early, hence the loop. On a slow host the timer may fire before it. */
		do {
			TRY(asm volatile("dsb sy\n\twfi" : : : "memory"));
			times++;
		} while (!irq_signalled() && cpu_ticks() - start < cpu_ticks_per_second());
		check_true("WFI", "ended by the timer", trap_caught.sync == 0 && irq_signalled(), times);
		check_true("WFI", "not before its time", cpu_ticks() - start >= cpu_ticks_per_second() * us / 1000000,
			   times);
	} else {
		TRY(asm volatile("dsb sy\n\twfi" : : : "memory"));
		/* An interrupt may be pending already: then WFI is a NOP, which no control traps. */
		check_true("WFI", wfi.action == ACT_DENY ? "refused (UNDEF), as the policy says" : "forwarded",
			   trap_caught.sync == 1 && (wfi.action != ACT_DENY || trap_caught.esr == BIT(25)),
			   trap_caught.esr);
		wait_for_irq();
	}
	take("timer, waited for", GIC_VTIMER);
}

CHECKS(090, timer)
{
	const char *missing;

	if (!gic_usable(&missing)) {
		check_note("timer", "not tried: the policy does not leave the guest %s", missing);
		return;
	}
	if (!check_true("GIC", "the redistributor wakes", gic_init(), 0))
		return;
	gic_enable(GIC_VTIMER, true);
	gic_enable(GIC_SGI, true);
	run_states();
	run_masks();
	run_software();
	run_ticks();
	run_wfi();
	gic_enable(GIC_VTIMER, false);
	gic_enable(GIC_SGI, false);
	cpu_set_sysreg(icc_igrpen1_el1, 0);
}
