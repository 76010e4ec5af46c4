/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions of rows that log or have a rate limit: the part of decide() that is not inline. */
#include "arch/arch.h"
#include "board/mmu.h"
#include "cpu/cpu.h"
#include "cpu/esr.h"
#include "log/evidence.h"
#include "trap/fast_path.h"
#include "trap/operator.h"

/* Ticks between two decisions at the limit's rate, by the index of policy_limits[]; 0 has none. */
static u64 *interval;

#define ID_REGISTERS 56

/*
 * ID registers are constant: what a row makes of the real one (op0 3, op1 0, CRn 0, CRm 1 to 7: those that HCR_EL2.TID3
 * traps) is worked out once, and the row becomes one that gives a value.
 */
static COLD void fold_constants(struct cpu *c)
{
	struct decision *folded = boot_alloc(ID_REGISTERS * sizeof(*folded), 64);

	for (u32 n = 0; n < ID_REGISTERS; n++) {
		struct row_state *s = &c->rows[policy_sysreg(3u << 20 | (n % 8) << 17 | (n / 8 + 1) << 1 | 1)];
		const struct decision *d = s->decision;
		u64 real;

		if (d->action != ACT_ALLOW && d->action != ACT_MASK)
			continue;
		real = replay_read(policy_stub(d->arg));
		folded[n] = *d;
		folded[n].action = ACT_VALUE;
		folded[n].value = d->action == ACT_ALLOW ? real : (real & d->mask) | d->value;
		s->decision = &folded[n];
		row_set_path(s);
	}
}

static const u16 log_flags[LOG_COUNT] = {
	[LOG_ONCE] = ROW_LOG | ROW_FIRST, [LOG_ONCE_TRACE] = ROW_LOG | ROW_FIRST | ROW_TRACE,
	[LOG_ALWAYS] = ROW_LOG, [LOG_ALWAYS_TRACE] = ROW_LOG | ROW_TRACE,
};
_Static_assert(LOG_COUNT == 5, "log_flags[] has a row for each enum log_when");

void decide_init(struct cpu *c)
{
	u64 frequency = sysreg_read(cntfrq_el0);

	c->rows = boot_alloc(policy_n_rows * sizeof(*c->rows), 64);
	c->limit_time = boot_alloc(policy_n_limits * sizeof(u64), 64);
	c->logged_once = boot_alloc(LOGGED_SLOTS * sizeof(u64), 64);
	c->row = c->rows;
	lookups_forget(c);
	for (unsigned i = 0; i < policy_n_rows; i++) {
		c->rows[i].decision = &policy_rows[i];
		c->rows[i].header = log_row_header((u16)i);
		c->rows[i].flags = log_flags[policy_rows[i].log] | (policy_rows[i].limit ? ROW_LIMIT : 0) |
				   (policy_rows[i].where ? ROW_WHERE : 0);
		row_set_path(&c->rows[i]);
	}
	fold_constants(c);
	if (!interval) {
		interval = boot_alloc(policy_n_limits * sizeof(u64), 64);
		for (unsigned i = 1; i < policy_n_limits; i++)
			interval[i] = frequency / policy_limits[i].rate;
	}
}

/* Generic cell rate algorithm: a burst of one second's worth, then one every interval. */
static bool within_limit(struct cpu *c, unsigned limit)
{
	u64 now = c->entered, at = c->limit_time[limit];

	if (at < now)
		at = now;
	if (at - now + interval[limit] > sysreg_read(cntfrq_el0))
		return false;
	c->limit_time[limit] = at + interval[limit];
	return true;
}

/* The part of an access, besides its row, by which `log: once` tells it from others: register, place or function. */
static u64 access_tag(const struct cpu *c, unsigned row, u64 value, u64 addr)
{
	u64 esr = c->frame.esr_el2, part;

	switch (esr_class(esr)) {
	case EC_SYSREG:
		part = esr & 0x3ffc1f; /* all but Rt */
		break;
	case EC_DABT_LOW:
		part = (addr & 0xffffffffff) << 1 | (esr & DABT_WNR ? 1 : 0);
		break;
	case EC_HVC64:
	case EC_SMC64:
		part = value & 0xffffffff;
		break;
	default:
		part = 0;
	}
	return (u64)row << 48 | (u64)esr_class(esr) << 42 | (part & 0x3ffffffffff);
}

/* May say true again after another access has taken the slot, but never false before the first. */
truth decide_first(struct cpu *c, const struct row_state *s, u64 value, u64 addr)
{
	unsigned row = (unsigned)(s - c->rows);
	u64 tag, *slot;

	if (esr_class(c->frame.esr_el2) == EC_DABT_LOW) {
		if (policy_rows[row].verdict != V_WOULD) /* audit: each address, to learn from */
			addr = policy_place(addr);
		if (addr >> 40) /* wider than a tag */
			return true;
	}
	tag = access_tag(c, row, value, addr);
	slot = &c->logged_once[(tag * 0x9e3779b97f4a7c15UL) >> 54];
	_Static_assert(LOGGED_SLOTS == 1 << 10, "shift by 54");
	if (*slot == tag)
		return false;
	*slot = tag;
	return true;
}

const struct decision *decide_slow(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux)
{
	if (unlikely(s->flags & ROW_WHERE))
		return narrow(c, s, value, addr, aux);
	return decide_row(c, s, value, addr, aux);
}

const struct decision *decide_row(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux)
{
	const struct decision *d = s->decision;

	if (d->limit && !within_limit(c, d->limit)) {
		s->hits--;
		s = c->row = &c->rows[policy_limits[d->limit].over];
		d = s->decision;
		s->hits++;
	}
	if (d->log && (!(d->log & LOG_ONCE) || decide_first(c, s, value, addr))) {
		c->record = log_decision(c, s, value, addr, aux);
		c->work |= log_silent ? WORK_RECORD : WORK_RECORD | WORK_LOG;
	}
	return unlikely(s->flags & ROW_CHANGED) ? overrule(c, d) : d;
}

void fast_finish_slow(struct cpu *c, u64 pc, struct row_state *s, u64 ticks, u64 spsr, u64 value, u64 addr, u64 aux)
{
	if (s->flags & ROW_LOG && (!(s->flags & ROW_FIRST) || decide_first(c, s, value, addr))) {
		log_fill(c, log_next(&c->log), s->header, pc, spsr, value, addr, aux, (u32)ticks);
		if (!log_silent)
			c->work |= WORK_LOG;
	}
	if (c->work)
		trap_work(c);
}

void complete_record(struct cpu *c)
{
	struct log_record *r = c->record;

	c->record = NULL;
	r->cost += (u32)(counter() - c->entered);
	if (c->rows[r->row].flags & ROW_TRACE && r->info & INFO_NOTABLE)
		log_callers(c);
	if (policy_rows[r->row].action == ACT_DENY && INFO_VERDICT(r->info) != V_WOULD)
		return; /* no value was read */
	if (esr_class(r->esr) == EC_SYSREG && iss_is_read(r->esr))
		r->value = c->frame.x[iss_rt(r->esr)];
	else if (esr_class(r->esr) == EC_DABT_LOW && r->esr & DABT_ISV && !(r->esr & DABT_WNR))
		r->value = c->frame.x[dabt_rt(r->esr)];
}

COLD u64 decisions(const struct cpu *c, int verdict)
{
	u64 n = 0;

	for (unsigned i = 0; i < policy_n_rows; i++)
		if (verdict < 0 || policy_rows[i].verdict == verdict)
			n += c->rows[i].hits - (verdict == V_DENY ? c->rows[i].would : 0);
	return n;
}
