/* SPDX-License-Identifier: Apache-2.0 */
/* Breakpoints, watchpoints and single steps of the guest, by the machine's debug registers. */
#include "operator/debug.h"
#include "arch/arch.h"
#include "cpu/alarm.h"
#include "cpu/esr.h"
#include "cpu/locks.h"
#include "cpu/vtime.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/dis.h"
#include "operator/monitor.h"
#include "operator/rules.h"
#include "trap/trap.h"
#include "vm/el1_exception.h"
#include "vm/guestmem.h"

#define EC_BREAKPOINT 0x30
#define EC_STEP       0x32
#define EC_WATCHPOINT 0x34

#define MDSCR_SS      BIT(0)
#define MDSCR_KDE     BIT(13)
#define MDSCR_MDE     BIT(15)
#define MDCR_TDE      BIT(8)
#define ICH_HCR_EN    BIT(0)

#define NO_POINT      0 /* points are numbered from 1 below */
#define EXCLUSIVE_MAX 32 /* instructions from a load-exclusive to its store-exclusive, at most */

enum step { STEP_NONE, STEP_OVER, STEP_USER };

struct debug_point debug_points[DEBUG_POINTS];
static enum until until;
static u64 until_value;

static struct debug_cpu {
	bool armed;      /* EL2 uses the debug registers */
	bool held;       /* virtual interrupts are off */
	bool hold;       /* ... during the operator's steps, too */
	bool bridged;    /* breakpoints after an exclusive sequence take the place of a step */
	u8 step;         /* enum step */
	u8 skip;         /* the point being stepped over */
	u8 hit;          /* the watchpoint that stopped the guest */
	u64 pc, left;    /* address of the step; steps left */
	u64 entered;     /* start of the trap being handled when the guest went on */
	u64 mdscr, value[DEBUG_POINTS], control[DEBUG_POINTS]; /* the guest's values */
	struct decision answer; /* returned by debug_shadow() */
} state[MAX_CPUS];

int debug_add(const struct debug_point *p, bool data)
{
	unsigned first = data ? DEBUG_CODE : 0;

	for (unsigned i = first; i < first + debug_slots(data); i++)
		if (debug_points[i].owner == POINT_FREE) {
			debug_points[i] = *p;
			return (int)i;
		}
	return -1;
}

static void drop_once(void)
{
	for (unsigned i = 0; i < DEBUG_CODE; i++)
		if (debug_points[i].owner == POINT_ONCE)
			debug_points[i].owner = POINT_FREE;
}

static bool any_point(void)
{
	for (unsigned i = 0; i < DEBUG_POINTS; i++)
		if (debug_points[i].owner)
			return true;
	return false;
}

/* --- the machine ---------------------------------------------------------------------------------- */

static void hold_interrupts(struct debug_cpu *d, bool on)
{
	u64 v = sysreg_read(ich_hcr_el2);

	if (d->held == on)
		return;
	d->held = on;
	sysreg_write(ich_hcr_el2, on ? v & ~ICH_HCR_EN : v | ICH_HCR_EN);
}

static void take_registers(struct cpu *c)
{
	struct debug_cpu *d = &state[c->index];

	if (d->armed)
		return;
	d->armed = true;
	d->mdscr = sysreg_read(mdscr_el1);
	for (unsigned i = 0; i < DEBUG_POINTS; i++)
		if (debug_there(i)) {
			d->value[i] = replay_read(debug_register(i, false));
			d->control[i] = replay_read(debug_register(i, true));
		}
	rules_debug(c, true);
}

static void give_registers_back(struct cpu *c)
{
	struct debug_cpu *d = &state[c->index];

	if (!d->armed)
		return;
	d->armed = false;
	for (unsigned i = 0; i < DEBUG_POINTS; i++)
		if (debug_there(i)) {
			replay_write(debug_register(i, false), d->value[i]);
			replay_write(debug_register(i, true), d->control[i]);
		}
	sysreg_write(mdscr_el1, d->mdscr);
	if (!(policy_traps.mdcr & MDCR_TDE))
		sysreg_write(mdcr_el2, sysreg_read(mdcr_el2) & ~MDCR_TDE);
	rules_debug(c, false);
}

/* DBGBCR: any A64 instruction (BAS 0xf), EL1 and EL0. DBGWCR: the bytes, loads or stores, EL1 and EL0. */
static u64 control_of(unsigned i)
{
	const struct debug_point *p = &debug_points[i];

	if (i < DEBUG_CODE)
		return 0xf << 5 | 3 << 1 | 1;
	return ((1UL << p->size) - 1) << (p->va & 7) << 5 | (u64)p->access << 3 | 3 << 1 | 1;
}

/*
 * While the guest steps over a point, equal ones must not stop it there again: another breakpoint at this address, any
 * watchpoint of the same access.
 */
static bool skipped(const struct debug_cpu *d, unsigned i)
{
	unsigned skip = d->skip - 1u;

	if (d->skip == NO_POINT)
		return false;
	return skip < DEBUG_CODE ? i < DEBUG_CODE && debug_points[i].va == debug_points[skip].va : i >= DEBUG_CODE;
}

void debug_load(struct cpu *c)
{
	struct debug_cpu *d = &state[c->index];
	bool points = any_point(), step = d->step && !d->bridged;

	if (!points && !step) {
		give_registers_back(c);
		isb();
		return;
	}
	take_registers(c);
	for (unsigned i = 0; i < DEBUG_POINTS; i++) {
		bool on = debug_points[i].owner && !skipped(d, i);

		if (!debug_there(i))
			continue;
		replay_write(debug_register(i, true), 0);
		replay_write(debug_register(i, false), debug_points[i].va & ~(i < DEBUG_CODE ? 3UL : 7UL));
		if (on)
			replay_write(debug_register(i, true), control_of(i));
	}
	/* The guest's KDE and MDE make no difference: PSTATE.D does not mask debug exceptions from EL1 and EL0 to EL2. */
	sysreg_write(mdscr_el1, (d->mdscr & ~(MDSCR_SS | MDSCR_KDE)) | MDSCR_MDE | (step ? MDSCR_SS : 0));
	sysreg_write(mdcr_el2, sysreg_read(mdcr_el2) | MDCR_TDE);
	sysreg_write(oslar_el1, 0);
	if (step)
		c->frame.spsr_el2 |= SPSR_SS;
	isb();
}

void debug_off(struct cpu *c)
{
	struct debug_cpu *d = &state[c->index];

	if (d->bridged)
		drop_once();
	give_registers_back(c);
	*d = (struct debug_cpu){ 0 };
}

/* --- one instruction ------------------------------------------------------------------------------ */

static truth insn_at(u64 pc, u32 *insn)
{
	return guest_read_va(pc, insn, sizeof(*insn)) == sizeof(*insn);
}

/*
 * Bridges a load-exclusive at the PC, whose store-exclusive would always fail when stepped: sets breakpoints behind it
 * and where branches leave the sequence. False: no such sequence, or too few free breakpoints.
 */
static truth bridge(u64 pc)
{
	struct debug_point p = { .owner = POINT_ONCE };
	u32 insn;
	u64 to, end = 0;

	if (!insn_at(pc, &insn) || !dis_load_exclusive(insn))
		return false;
	for (u64 at = pc + 4; at < pc + 4 * EXCLUSIVE_MAX && !end; at += 4)
		if (!insn_at(at, &insn))
			return false;
		else if (dis_store_exclusive(insn))
			end = at + 4;
	if (!end)
		return false;
	p.va = end;
	if (debug_add(&p, false) < 0)
		return false;
	for (u64 at = pc + 4; at < end; at += 4)
		if (insn_at(at, &insn) && dis_branch(insn, at, &to) && (to < pc || to >= end)) {
			p.va = to;
			if (debug_add(&p, false) < 0) {
				drop_once();
				return false;
			}
		}
	return true;
}

static void begin_step(struct cpu *c, enum step step)
{
	struct debug_cpu *d = &state[c->index];

	d->step = (u8)step;
	d->pc = c->frame.elr_el2;
	d->bridged = bridge(d->pc);
	/* An interrupt would end the step before the instruction. */
	if (step == STEP_OVER || d->hold)
		hold_interrupts(d, true);
	c->work |= WORK_DEBUG;
}

/* The instruction at d->pc is done. True: the operator's last step. */
static truth stepped(struct cpu *c)
{
	struct debug_cpu *d = &state[c->index];
	enum step step = d->step;

	if (d->bridged)
		drop_once();
	d->bridged = false;
	d->skip = NO_POINT;
	d->step = STEP_NONE;
	hold_interrupts(d, false);
	if (step == STEP_USER && --d->left == 0)
		return true;
	if (step == STEP_USER)
		begin_step(c, STEP_USER);
	debug_load(c);
	return false;
}

/* --- stopping and going on ------------------------------------------------------------------------ */

void debug_step(struct cpu *c, u64 count, bool hold)
{
	state[c->index].left = count;
	state[c->index].hold = hold;
}

void debug_until(enum until condition, u64 value)
{
	until = condition;
	until_value = value;
}

void debug_stop(struct cpu *c)
{
	struct debug_cpu *d = &state[c->index];

	drop_once();
	until = UNTIL_NOTHING;
	alarm_set(ALARM_UNTIL, 0);
	d->bridged = false;
	d->step = STEP_NONE;
	d->left = 0;
	d->hold = false;
	hold_interrupts(d, false);
}

void debug_resume(struct cpu *c)
{
	struct debug_cpu *d = &state[c->index];
	u64 pc = c->frame.elr_el2;

	/* Steps over the point that the guest stopped on. A watchpoint's access has not been made yet. */
	d->skip = d->hit != NO_POINT && d->pc == pc && debug_points[d->hit - 1].owner ? d->hit : NO_POINT;
	for (u8 i = 0; i < DEBUG_CODE; i++)
		if (debug_points[i].owner && debug_points[i].owner != POINT_ONCE && debug_points[i].va == pc)
			d->skip = i + 1;
	d->hit = NO_POINT;
	if (d->left)
		begin_step(c, STEP_USER);
	else if (d->skip != NO_POINT)
		begin_step(c, STEP_OVER);
	d->entered = c->entered;
	if (until != UNTIL_NOTHING)
		c->work |= WORK_DEBUG;
	if (until == UNTIL_TIME)
		alarm_set(ALARM_UNTIL, until_value + vtime_hidden());
	debug_load(c);
}

bool debug_work(struct cpu *c)
{
	struct debug_cpu *d = &state[c->index];
	bool stop = false;

	if (d->step && !d->bridged && c->frame.elr_el2 != d->pc)
		stop = stepped(c); /* EL2 has done the instruction's work, so no step exception comes */
	if (stop)
		c->stop_reason = "step";
	if ((until == UNTIL_TRAP && c->entered != d->entered) || (until == UNTIL_SEQ && c->log.seq > until_value)) {
		c->stop_reason = "until";
		stop = true;
	}
	if (stop)
		return true;
	if (d->step || until == UNTIL_TRAP || until == UNTIL_SEQ)
		c->work |= WORK_DEBUG;
	if (d->step && !d->bridged)
		c->frame.spsr_el2 |= SPSR_SS;
	return false;
}

void debug_tick(struct cpu *c)
{
	if (until == UNTIL_TIME && counter() - vtime_hidden() >= until_value) {
		until = UNTIL_NOTHING;
		c->stop_reason = "until";
		c->work |= WORK_MONITOR;
	}
	alarm_set(ALARM_UNTIL, until == UNTIL_TIME ? until_value + vtime_hidden() : 0);
}

static truth holds(const struct cpu *c, const struct debug_point *p)
{
	u64 v = c->frame.x[p->reg & 31];

	switch (p->test) {
	case '=': return v == p->operand;
	case '!': return v != p->operand;
	case '<': return v < p->operand;
	case '>': return v > p->operand;
	}
	return true;
}

/* The point behind this exception. FAR_EL2 may be anywhere in the access, so it is the nearest watchpoint. */
static u8 find(const struct trap_frame *f, bool data)
{
	u8 found = NO_POINT;
	u64 nearest = 64; /* DC ZVA makes the longest access */

	for (unsigned i = data ? DEBUG_CODE : 0; i < (data ? DEBUG_POINTS : DEBUG_CODE); i++) {
		const struct debug_point *p = &debug_points[i];
		u64 far = data ? p->va - f->far_el2 : p->va - f->elr_el2;

		if (!p->owner)
			continue;
		if (data && f->far_el2 - p->va < p->size)
			far = 0;
		if (far < (data ? nearest : 1) || (!far && found && !p->test && !p->log)) { /* of equal ones, one that stops */
			nearest = far;
			found = (u8)(i + 1);
		}
	}
	return found;
}

/* The guest has reached a point. True: it stops; false: it goes on after it. */
static truth hit(struct cpu *c, u8 i)
{
	struct debug_cpu *d = &state[c->index];
	struct debug_point *p = &debug_points[i - 1];
	char text[80];

	if (p->owner == POINT_ONCE) {
		if (!d->bridged)
			return true; /* until */
		return stepped(c);
	}
	if (holds(c, p)) {
		p->hits++;
		d->hit = i;
		d->pc = c->frame.elr_el2;
		if (!p->log)
			return true;
		ksnprintf(text, sizeof(text), "mark \"logpoint %d pc=0x%lx x0=0x%lx\"", i - 1, c->frame.elr_el2, c->frame.x[0]);
		spin_lock(&log_lock);
		log_note(c, text);
		spin_unlock(&log_lock);
	}
	d->skip = i;
	begin_step(c, d->step == STEP_USER ? STEP_USER : STEP_OVER);
	debug_load(c);
	return false;
}

enum outcome trap_debug(struct trap_frame *f)
{
	struct cpu *c = cpu_of(f);
	struct debug_cpu *d = &state[c->index];
	unsigned class = esr_class(f->esr_el2);
	const char *why = class == EC_WATCHPOINT ? "watchpoint" : "breakpoint";
	bool stop;
	u8 i;

	if (!d->armed)
		return trap_other(f);
	if (class == EC_STEP && d->step) {
		why = "step";
		stop = stepped(c);
	} else if (class == EC_BREAKPOINT || class == EC_WATCHPOINT) {
		i = find(f, class == EC_WATCHPOINT);
		if (i == NO_POINT) /* another CPU has removed it */
			stop = false;
		else if (debug_points[i - 1].owner == POINT_ONCE) {
			why = d->bridged ? "step" : "until";
			stop = hit(c, i);
		} else
			stop = hit(c, i);
		if (i == NO_POINT)
			debug_load(c);
	} else { /* the guest's own BRK, which MDCR_EL2.TDE routes to EL2 */
		return policy_traps.mdcr & MDCR_TDE ? trap_other(f) : FORWARD;
	}
	c->entered = d->entered = counter(); /* charged to no decision, and no trap for `until` */
	if (stop) {
		c->stop_reason = why;
		c->work = (c->work & ~WORK_DEBUG) | WORK_MONITOR;
	}
	return AGAIN;
}

/* --- the guest's view ----------------------------------------------------------------------------- */

const struct decision *debug_shadow(struct cpu *c, const struct decision *d)
{
	struct debug_cpu *s = &state[c->index];
	u32 iss = (u32)c->frame.esr_el2;
	unsigned op2 = (unsigned)FIELD(iss, 19, 17), n = (unsigned)FIELD(iss, 4, 1);
	u64 *slot;

	if (!s->armed || esr_class(c->frame.esr_el2) != EC_SYSREG || FIELD(iss, 21, 20) != 2 || FIELD(iss, 16, 10))
		return NULL;
	if (d->action != ACT_ALLOW && d->action != ACT_MASK)
		return NULL;
	if (op2 == 2 && n == 2)
		slot = &s->mdscr;
	else if ((op2 == 4 || op2 == 5) && n < DEBUG_CODE)
		slot = op2 == 4 ? &s->value[n] : &s->control[n];
	else if ((op2 == 6 || op2 == 7) && n < DEBUG_DATA)
		slot = op2 == 6 ? &s->value[DEBUG_CODE + n] : &s->control[DEBUG_CODE + n];
	else
		return NULL;
	s->answer = *d;
	s->answer.value = *slot;
	s->answer.action = ACT_VALUE;
	if (!iss_is_read(iss)) {
		*slot = c->frame.x[iss_rt(iss)] & d->mask;
		s->answer.action = ACT_IGNORE;
	}
	return &s->answer;
}
