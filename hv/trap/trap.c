/* SPDX-License-Identifier: Apache-2.0 */
/* Class -> handler -> outcome; the only code that moves the guest's PC. */
#include "trap/trap.h"
#include "arch/arch.h"
#include "board/gic.h"
#include "cpu/alarm.h"
#include "cpu/esr.h"
#include "cpu/locks.h"
#include "cpu/smp.h"
#include "dev/vgic.h"
#include "dev/virtio.h"
#include "dev/vrtc.h"
#include "log/console.h"
#include "log/drain.h"
#include "log/evidence.h"
#include "log/power.h"
#include "trap/decide.h"
#include "trap/fast_path.h"
#include "trap/operator.h"
#include "trap/replay.h"
#include "vm/inject.h"

typedef void (*class_handler)(struct trap_frame *f, u64 esr);

static void by_outcome(struct trap_frame *f, u64 esr);

static const class_handler classes[EXC_EC_COUNT] = {
	[0x00 ... 0x15] = by_outcome,
	[EC_HVC64] = trap_hvc,
	[EC_SMC64] = trap_smc,
	[EC_SYSREG] = trap_sysreg,
	[0x19 ... 0x23] = by_outcome,
	[EC_DABT_LOW] = trap_dabt,
	[0x25 ... 0x3f] = by_outcome,
};

/* Work for the log and the operator. */
static void log_work(struct cpu *c, u32 todo)
{
	spin_lock(&log_lock);
	if (todo & (WORK_LOG | WORK_DUMP))
		drain_work(c, todo & WORK_DUMP);
	if (todo & WORK_DEAF)
		console_deaf(c);
	if (todo & WORK_NOTES)
		monitor_note(c, todo);
	if (todo & WORK_DEBUG && debug_work(c))
		c->work |= WORK_MONITOR;
	spin_unlock(&log_lock);
}

/* Does the work in `c->work` before the guest goes on: log, operator, interrupts for the guest. */
void trap_work(struct cpu *c)
{
	u32 todo = c->work;

	c->work = 0;
	if (c->record)
		complete_record(c);
	if (todo == WORK_RECORD)
		return;
	if (unlikely(todo & WORK_UNDEFINED))
		todo |= replay_undo(c);
	if (todo & (WORK_LOG | WORK_DUMP | WORK_NOTES | WORK_DEBUG | WORK_DEAF))
		log_work(c, todo);
	if (todo & WORK_INPUT)
		console_input(c);
	if ((todo | c->work) & WORK_MONITOR) {
		do { /* a ^] m behind `cont` opens it again */
			c->work &= ~WORK_MONITOR;
			monitor_run(c, c->stop_reason);
		} while (c->work & WORK_MONITOR);
		console_input(c); /* input typed after the key */
	}
	if ((todo | c->work) & WORK_VGIC) {
		vgic_flush(c);
		c->work &= ~WORK_VGIC;
	}
}

/* The policy has ended the guest. */
static void __attribute__((noinline)) stop(struct cpu *c)
{
	log_event(c, EV_GUEST_LEAVE, 0, 0);
	monitor_run(c, "kill");
	machine_off("kill");
}

static inline void handled(struct cpu *c)
{
	c->row->cost += counter() - c->entered;
	if (unlikely(c->work))
		trap_work(c);
}

/* Outcomes other than one instruction forward. */
static void __attribute__((noinline)) finish(struct trap_frame *f, enum outcome v)
{
	switch (v) {
	case NEXT:
	case AGAIN:
		break;
	case UNDEF:
		inject_undef(f);
		break;
	case ABORT:
		inject_abort(f);
		break;
	case FORWARD:
		inject_forward(f);
		break;
	case STOP:
		stop(cpu_of(f));
		break;
	}
	handled(cpu_of(f));
}

void trap_next32(struct trap_frame *f)
{
	u64 it = FIELD(f->spsr_el2, 15, 10) << 2 | FIELD(f->spsr_el2, 26, 25);

	it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
	f->elr_el2 += esr_length(f->esr_el2);
	f->spsr_el2 = (f->spsr_el2 & ~(SPSR_IT | SPSR_SS)) | it >> 2 << 10 | (it & 3) << 25;
}

static void __attribute__((noinline)) end32(struct trap_frame *f)
{
	trap_next32(f);
	handled(cpu_of(f));
}

/* Handlers that end a trap themselves use fast_next_pc(). */
void trap_end(struct trap_frame *f, enum outcome v)
{
	if (v != NEXT) {
		finish(f, v);
		return;
	}
	if (unlikely(f->spsr_el2 & SPSR_A32)) {
		end32(f);
		return;
	}
	fast_next_pc(f);
	handled(cpu_of(f));
}

static enum outcome outcome_of(struct trap_frame *f)
{
	switch (esr_class(f->esr_el2)) {
	case EC_WFX:
		return trap_wfx(f);
	case EC_IABT_LOW:
		return trap_iabt(f);
	case EC_DABT_LOW:
		return trap_dabt_general(f);
	case 0x30 ... 0x3f:
		return trap_debug(f);
	default:
		return trap_other(f);
	}
}

static void by_outcome(struct trap_frame *f, u64 esr)
{
	(void)esr;
	trap_end(f, outcome_of(f));
}

void trap_sync(struct trap_frame *f, u64 esr)
{
	cpu_of(f)->entered = counter();
	classes[esr_class(esr)](f, esr);
}

void trap_sync32(struct trap_frame *f, u64 esr)
{
	cpu_of(f)->entered = counter();
	by_outcome(f, esr);
}

void trap_irq(struct trap_frame *f)
{
	struct cpu *c = cpu_of(f);
	bool park = false;

	c->watch_misses = 0;
	/* Bounded: during a storm the rest come with the next exception, after the guest has run. */
	for (unsigned i = 0; i < 16; i++) {
		u32 irq = gic_acknowledge();

		if (irq >= 1020)
			break;
		gic_drop(irq);
		switch (irq) {
		case IRQ_PMU:
		case IRQ_VTIMER:
		case IRQ_PTIMER:
			vgic_physical(c, irq); /* the guest's EOI deactivates it */
			continue;
		case IRQ_UART:
			console_input(c);
			break;
		case IRQ_MAINTENANCE:
			vgic_maintenance(c);
			break;
		case SGI_ALARM:
			console_tick(c);
			spin_lock(&log_lock);
			debug_tick(c);
			spin_unlock(&log_lock);
			virtio_tick();
			vrtc_tick();
			c->work |= c->log_due ? WORK_LOG : 0;
			break;
		case SGI_KICK:
			c->work |= WORK_VGIC;
			virtio_tick();
			vrtc_tick();
			break;
		case SGI_STOP:
			park = true;
			break;
		default:
			if (irq == IRQ_HYP_TIMER) /* EL2's timer where it is no FIQ */
				alarm_irq(c);
			else if (!virtio_interrupt(irq)) /* no handler: stays active, so that it cannot come again */
				gic_enable(c->index, irq, false);
			break;
		}
		gic_deactivate(irq);
	}
	if (park)
		smp_park(c);
	if (c->work)
		trap_work(c);
}

void trap_serror(struct trap_frame *f)
{
	f->esr_el2 = (f->esr_el2 & ~(0x3fUL << 26)) | (u64)EC_SERROR << 26;
	trap_sync(f, f->esr_el2);
}

COLD enum outcome trap_exception(struct trap_frame *f, unsigned class, u64 value, u64 addr, enum outcome allowed)
{
	struct cpu *c = cpu_of(f);
	const struct decision *d = decide(c, &c->rows[policy_exception[class]], value, addr, f->far_el2);

	_Static_assert(ACT_COUNT == 9, "trap_exception() has a case for each enum action that an exception may have");
	switch (d->action) {
	case ACT_PAUSE:
		monitor_run(c, "rule");
		return allowed;
	case ACT_ALLOW:
		return allowed;
	case ACT_DENY:
		return UNDEF;
	case ACT_KILL:
		return STOP;
	default:
		return FORWARD;
	}
}

COLD enum outcome trap_other(struct trap_frame *f)
{
	/*
	 * These classes have nothing for EL2 to serve: ALLOW and FORWARD both give EL1 the exception that it would get
	 * without EL2.
	 */
	return trap_exception(f, esr_class(f->esr_el2), 0, 0, FORWARD);
}
