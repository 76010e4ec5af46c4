/* SPDX-License-Identifier: Apache-2.0 */
/* WFI, WFE and their timed forms: an idle guest gives its time to EL2, and then to the host. */
#include "trap/trap_wait.h"
#include "arch/arch.h"
#include "cpu/esr.h"
#include "cpu/locks.h"
#include "dev/vgic.h"
#include "log/drain.h"
#include "trap/trap.h"

#define TI_WFI 0
#define ISR_I  BIT(7)
#define ISR_A  BIT(8)

static bool interrupted(void)
{
	return sysreg_read(isr_el1) & (ISR_I | ISR_A);
}

void wait_for_interrupt(struct cpu *c)
{
	bool sleep;

	spin_lock(&log_lock);
	drain_idle(c);
	spin_unlock(&log_lock);
	vgic_flush(c); /* a line may have fallen */
	/* Records that wait for the end of the guest's line have an alarm. */
	sleep = !(c->work & ~WORK_LOG) && !c->vgic.waits;
	/*
	 * Physical interrupts, kicks among them, end the sleep although they are masked here; ERET then takes them. The
	 * watchdog's timer is handled first: it does not end the guest's sleep.
	 */
	if (sleep)
		do {
			wfi();
			c->entered = counter(); /* sleep is neither cost nor a loop */
		} while (!interrupted());
}

enum outcome trap_wfx(struct trap_frame *f)
{
	struct cpu *c = cpu_of(f);
	enum outcome v = trap_exception(f, EC_WFX, 0, 0, NEXT);

	/* WFE, WFIT and WFET may end at any time: they return at once, and the guest tries again. */
	if (v == NEXT && (f->esr_el2 & 3) == TI_WFI)
		wait_for_interrupt(c);
	return v;
}
