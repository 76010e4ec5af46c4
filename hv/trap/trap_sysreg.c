/* SPDX-License-Identifier: Apache-2.0 */
/* Trapped MSR, MRS and SYS instructions: applies the row's action to the register. */
#include "arch/arch.h"
#include "cpu/esr.h"
#include "dev/vgic.h"
#include "models.h"
#include "trap/fast_path.h"
#include "trap/operator.h"
#include "vm/el1_exception.h"

typedef enum outcome (*sysreg_action)(struct trap_frame *f, const struct decision *d, u32 iss);
typedef void (*sysreg_path)(struct trap_frame *f, u64 esr, struct row_state *s);

/* XZR is slot 31, which the next trap zeroes again: a value read into it is recorded, then lost. */
static inline void give(struct trap_frame *f, u32 iss, u64 value)
{
	f->x[iss_rt(iss)] = value;
}

static inline enum outcome act_allow(struct trap_frame *f, const struct decision *d, u32 iss)
{
	if (iss_is_read(iss))
		give(f, iss, replay_read(policy_stub(d->arg)));
	else
		replay_write(policy_stub(d->arg), f->x[iss_rt(iss)] & d->mask);
	return NEXT;
}

/* The guest's CPU interface in software (vgic_icc.c). */
static COLD bool vgic_icc(struct trap_frame *f, u32 iss)
{
	u64 value = f->x[iss_rt(iss)];
	bool done;

	if (iss_is_read(iss))
		done = vgic_icc_read(cpu_of(f), sysreg_key(iss), &value);
	else
		done = vgic_icc_write(cpu_of(f), sysreg_key(iss), value);
	if (done && iss_is_read(iss))
		give(f, iss, value);
	return done;
}

static enum outcome act_deny(struct trap_frame *f, const struct decision *d, u32 iss)
{
	return allowed_only(d) && vgic_icc(f, iss) ? NEXT : UNDEF;
}

static inline enum outcome act_value(struct trap_frame *f, const struct decision *d, u32 iss)
{
	give(f, iss, d->value);
	return NEXT;
}

static inline enum outcome act_ignore(struct trap_frame *f, const struct decision *d, u32 iss)
{
	(void)f;
	(void)d;
	(void)iss;
	return NEXT;
}

static inline enum outcome act_mask(struct trap_frame *f, const struct decision *d, u32 iss)
{
	const char *stub = policy_stub(d->arg);
	u64 real = replay_read(stub);

	if (iss_is_read(iss))
		give(f, iss, (real & d->mask) | d->value);
	else
		replay_write(stub, (real & ~d->mask) | (f->x[iss_rt(iss)] & d->mask));
	return NEXT;
}

enum outcome trap_send_sgi(struct trap_frame *f, u64 value)
{
	if (vgic_sgi_targets(value))
		vgic_sgi(cpu_of(f), value, FIELD(f->esr_el2, 19, 17) == 5); /* op2 of ICC_SGI1R_EL1 */
	return NEXT;
}

static enum outcome act_emulate(struct trap_frame *f, const struct decision *d, u32 iss)
{
	return model_access(d->arg, f, f->x[iss_rt(iss)]);
}

/* Opens the monitor first; then the access takes effect. */
static COLD enum outcome act_pause(struct trap_frame *f, const struct decision *d, u32 iss)
{
	monitor_run(cpu_of(f), "rule");
	return d->arg ? act_allow(f, d, iss) : UNDEF;
}

static enum outcome act_kill(struct trap_frame *f, const struct decision *d, u32 iss)
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
_Static_assert(ACT_COUNT == 9, "actions[] has a row for each enum action");

/* The slow path: any row, by all of its terms. */
static void __attribute__((noinline)) slow_path(struct trap_frame *f, u64 esr, struct row_state *s)
{
	struct cpu *c = cpu_of(f);
	const struct decision *d = decide(c, s, f->x[iss_rt(esr)], 0, 0);

	trap_end(f, actions[d->action](f, d, (u32)esr));
}

static void __attribute__((noinline)) finish(struct trap_frame *f, u64 pc, struct row_state *s, u64 ticks, u64 spsr)
{
	fast_finish(cpu_of(f), pc, s, ticks, spsr, f->x[iss_rt(f->esr_el2)], 0, 0);
}

static void __attribute__((noinline)) finish_next(struct trap_frame *f, u64 pc, struct row_state *s, u64 ticks)
{
	finish(f, pc, s, ticks, f->spsr_el2);
}

static inline void finish_fast(struct trap_frame *f, struct row_state *s)
{
	u64 pc = fast_next_pc(f), ticks;

	if (unlikely(!fast_end(cpu_of(f), s, &ticks)))
		finish_next(f, pc, s, ticks);
}

static void fast_allow(struct trap_frame *f, u64 esr, struct row_state *s)
{
	act_allow(f, s->decision, (u32)esr);
	finish_fast(f, s);
}

static void fast_value(struct trap_frame *f, u64 esr, struct row_state *s)
{
	act_value(f, s->decision, (u32)esr);
	finish_fast(f, s);
}

static void fast_ignore(struct trap_frame *f, u64 esr, struct row_state *s)
{
	(void)esr;
	finish_fast(f, s);
}

static void fast_mask(struct trap_frame *f, u64 esr, struct row_state *s)
{
	act_mask(f, s->decision, (u32)esr);
	finish_fast(f, s);
}

static void fast_deny(struct trap_frame *f, u64 esr, struct row_state *s)
{
	u64 pc = f->elr_el2, spsr = f->spsr_el2, ticks;

	(void)esr;
	take_undef(f);
	if (unlikely(!fast_end(cpu_of(f), s, &ticks)))
		finish(f, pc, s, ticks, spsr);
}

/* An SGI without a target needs no lock. */
static void fast_emulate(struct trap_frame *f, u64 esr, struct row_state *s)
{
	if (s->decision->arg == MODEL_VGIC_SGI && !vgic_sgi_targets(f->x[iss_rt(esr)]))
		finish_fast(f, s);
	else
		slow_path(f, esr, s);
}

static const sysreg_path fast_paths[ACT_COUNT + 1] = {
	[ACT_ALLOW] = fast_allow, [ACT_DENY] = fast_deny,       [ACT_VALUE] = fast_value,
	[ACT_IGNORE] = fast_ignore, [ACT_MASK] = fast_mask,     [ACT_EMULATE] = fast_emulate,
	[ACT_FORWARD] = slow_path,      [ACT_PAUSE] = slow_path,            [ACT_KILL] = slow_path,
	[PATH_SLOW] = slow_path,
};
_Static_assert(ACT_COUNT == 9, "fast_paths[] has a row for each enum action");

void trap_sysreg(struct trap_frame *f, u64 esr)
{
	struct row_state *s = &cpu_of(f)->rows[policy_sysreg((u32)esr)];

	fast_paths[s->path](f, esr, s);
}
