/* SPDX-License-Identifier: Apache-2.0 */
/* Trapped MSR, MRS and SYS instructions: what the policy's row says is done with the register. */
#include "arch/arch.h"
#include "cache.h"
#include "esr.h"
#include "inject.h"
#include "monitor.h"
#include "trap.h"

typedef enum verdict (*sysreg_action)(struct trap_frame *f, const struct decision *d, u32 iss);

/* XZR is slot 31, which the next trap stores as zero again: what is read into it is dropped. */
static inline void give(struct trap_frame *f, u32 iss, u64 value)
{
	f->x[iss_rt(iss)] = value;
}

static inline const char *stub(const struct decision *d)
{
	return policy_replay + 16 * (u64)d->arg;
}

static enum verdict act_allow(struct trap_frame *f, const struct decision *d, u32 iss)
{
	if (iss_is_read(iss))
		give(f, iss, replay_read(stub(d)));
	else
		replay_write(stub(d), f->x[iss_rt(iss)] & d->mask);
	return NEXT;
}

static enum verdict act_deny(struct trap_frame *f, const struct decision *d, u32 iss)
{
	(void)f;
	(void)d;
	(void)iss;
	return UNDEF;
}

static enum verdict act_value(struct trap_frame *f, const struct decision *d, u32 iss)
{
	give(f, iss, d->value);
	return NEXT;
}

static enum verdict act_ignore(struct trap_frame *f, const struct decision *d, u32 iss)
{
	(void)f;
	(void)d;
	(void)iss;
	return NEXT;
}

static enum verdict act_mask(struct trap_frame *f, const struct decision *d, u32 iss)
{
	u64 real = replay_read(stub(d));

	if (iss_is_read(iss))
		give(f, iss, (real & d->mask) | d->value);
	else
		replay_write(stub(d), (real & ~d->mask) | (f->x[iss_rt(iss)] & d->mask));
	return NEXT;
}

static enum verdict __attribute__((noinline)) send_sgi(struct cpu *c, u64 value)
{
	if (!vgic_sgi_targets(value))
		return NEXT;
	spin_lock(&shared);
	vgic_sgi(c, value);
	spin_unlock(&shared);
	return NEXT;
}

static enum verdict act_emulate(struct trap_frame *f, const struct decision *d, u32 iss)
{
	u64 value = f->x[iss_rt(iss)];

	switch (d->arg) {
	case MODEL_VGIC_SGI:
		return send_sgi(cpu_of(f), value);
	case MODEL_DC_VA:
		return cache_dc_va(f, value);
	case MODEL_DC_ZVA:
		return cache_dc_zva(f, value);
	case MODEL_IC_VA:
		ic_ialluis(); /* more than one line, never less */
		return NEXT;
	case MODEL_NATIVE:
		return AGAIN;
	}
	return UNDEF;
}

/* The operator looks first; then it takes effect. */
static enum verdict act_pause(struct trap_frame *f, const struct decision *d, u32 iss)
{
	monitor_run(cpu_of(f), "rule");
	return d->arg ? act_allow(f, d, iss) : UNDEF;
}

static enum verdict act_kill(struct trap_frame *f, const struct decision *d, u32 iss)
{
	(void)f;
	(void)d;
	(void)iss;
	return STOP;
}

static const sysreg_action actions[ACT_COUNT] = {
	[ACT_ALLOW] = act_allow,   [ACT_DENY] = act_deny,       [ACT_VALUE] = act_value,  [ACT_IGNORE] = act_ignore,
	[ACT_MASK] = act_mask,     [ACT_EMULATE] = act_emulate, [ACT_FORWARD] = act_deny, [ACT_PAUSE] = act_pause,
	[ACT_KILL] = act_kill,
};

/* Rows that log or are limited. */
static enum verdict __attribute__((noinline)) decided_slowly(struct trap_frame *f, unsigned row, u32 iss)
{
	const struct decision *d = decide_slow(cpu_of(f), row, f->x[iss_rt(iss)], 0, 0);

	return actions[d->action](f, d, iss);
}

enum verdict trap_sysreg(struct trap_frame *f)
{
	struct cpu *c = cpu_of(f);
	u32 iss = (u32)f->esr_el2;
	unsigned row = policy_sysreg(iss);
	struct row_state *s = &c->rows[row];

	if (!decide_fast(c, s))
		return decided_slowly(f, row, iss);
	return actions[s->decision->action](f, s->decision, iss);
}
