/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 2 aborts: accesses to MMIO windows. */
#include "arch/arch.h"
#include "cpu/esr.h"
#include "dev/vgic.h"
#include "dev/vuart.h"
#include "models.h"
#include "trap/operator.h"
#include "trap/fast_path.h"
#include "vm/guestmem.h"
#include "vm/inject.h"

#define UART_FR 0x18

struct access {
	u64 ipa, value; /* value: of a write */
	unsigned log2_size, rt;
	bool write;
};

typedef enum outcome (*mmio_action)(struct trap_frame *f, const struct decision *d, u64 ipa);

static u64 low_bits(u64 v, unsigned log2_size)
{
	return log2_size == 3 ? v : v & ((1UL << (8u << log2_size)) - 1);
}

/* The access that the syndrome describes; needs ISV. */
static inline struct access access_of(const struct trap_frame *f, u64 ipa)
{
	u64 esr = f->esr_el2;
	struct access a = { .ipa = ipa, .log2_size = dabt_log2_size(esr), .rt = dabt_rt(esr), .write = esr & DABT_WNR };

	a.value = low_bits(f->x[a.rt], a.log2_size);
	return a;
}

/* Writes a load's value to its register: sign-extended with SSE, cut to 32 bits without SF. XZR: see trap_sysreg.c. */
static void give(struct trap_frame *f, const struct access *a, u64 value)
{
	u64 esr = f->esr_el2;

	if (likely((esr & (DABT_SAS | DABT_SSE | DABT_SF)) == DABT_WORD)) { /* ldr w */
		f->x[a->rt] = (u32)value;
		return;
	}
	value = low_bits(value, a->log2_size);
	if (esr & DABT_SSE) {
		unsigned shift = 64 - (8u << a->log2_size);

		value = (u64)((s64)(value << shift) >> shift);
	}
	f->x[a->rt] = esr & DABT_SF ? value : value & 0xffffffff;
}

/* Asks the real device; its abort is the guest's. Every window has PA = IPA. */
static enum outcome act_allow(struct trap_frame *f, const struct decision *d, u64 ipa)
{
	const struct access acc = access_of(f, ipa), *a = &acc;
	u64 value;

	(void)d;
	if (a->write)
		return guarded_write(a->ipa, 1u << a->log2_size, a->value) ? NEXT : ABORT;
	if (!guarded_read(a->ipa, 1u << a->log2_size, &value))
		return ABORT;
	give(f, a, value);
	return NEXT;
}

static enum outcome act_deny(struct trap_frame *f, const struct decision *d, u64 ipa)
{
	(void)f;
	(void)ipa;
	if (d->arg != REFUSE_SERROR)
		return ABORT;
	inject_serror();
	return NEXT;
}

static enum outcome act_value(struct trap_frame *f, const struct decision *d, u64 ipa)
{
	const struct access a = access_of(f, ipa);

	give(f, &a, d->value);
	return NEXT;
}

static enum outcome act_ignore(struct trap_frame *f, const struct decision *d, u64 ipa)
{
	(void)f;
	(void)d;
	(void)ipa;
	return NEXT;
}

static COLD enum outcome act_mask(struct trap_frame *f, const struct decision *d, u64 ipa)
{
	const struct access acc = access_of(f, ipa), *a = &acc;
	unsigned size = 1u << a->log2_size;
	u64 real;

	if (!guarded_read(a->ipa, size, &real))
		return ABORT;
	if (a->write)
		return guarded_write(a->ipa, size, (real & ~d->mask) | (a->value & d->mask)) ? NEXT : ABORT;
	give(f, a, (real & d->mask) | d->value);
	return NEXT;
}

static enum outcome act_emulate(struct trap_frame *f, const struct decision *d, u64 ipa)
{
	const struct access acc = access_of(f, ipa), *a = &acc;
	struct cpu *c = cpu_of(f);
	unsigned size = 1u << a->log2_size;
	u32 offset = (u32)(a->ipa - d->value); /* value: the window's base */
	u64 value;

	/* A register that the model lacks reads as zero and ignores writes. */
	value = model_register(d->arg, c, a->ipa, offset, size, a->write, a->value);
	if (!a->write)
		give(f, a, value);
	return NEXT;
}

/* Opens the monitor first; then the real device answers if the guest may have one (arg), else the access aborts. */
static COLD enum outcome act_pause(struct trap_frame *f, const struct decision *d, u64 ipa)
{
	monitor_run(cpu_of(f), "rule");
	return d->arg ? act_allow(f, d, ipa) : ABORT;
}

static enum outcome act_kill(struct trap_frame *f, const struct decision *d, u64 ipa)
{
	(void)f;
	(void)d;
	(void)ipa;
	return STOP;
}

static const mmio_action actions[ACT_COUNT] = {
	[ACT_ALLOW] = act_allow,   [ACT_DENY] = act_deny,       [ACT_VALUE] = act_value,  [ACT_IGNORE] = act_ignore,
	[ACT_MASK] = act_mask,     [ACT_EMULATE] = act_emulate, [ACT_FORWARD] = act_deny, [ACT_PAUSE] = act_pause,
	[ACT_KILL] = act_kill,
};
_Static_assert(ACT_COUNT == 9, "actions[] has a row for each enum action");

/* Whether the access needs write permission: cache maintenance sets WnR, but needs memory to be readable only. */
static inline bool access_writes(u64 esr)
{
	return (esr & (DABT_WNR | DABT_CM)) == DABT_WNR;
}

/* The IPA from HPFAR_EL2 and FAR_EL2, as the machine reports it. */
static inline u64 reported_ipa(const struct trap_frame *f)
{
	return FIELD(f->hpfar_el2, 43, 4) << 12 | (f->far_el2 & 0xfff);
}

/*
 * The IPA that faulted. HPFAR_EL2 holds it, except for permission faults, where it is UNKNOWN unless a stage 1 walk
 * made the access ("HPFAR_EL2, Hypervisor IPA Fault Address Register"): FAR_EL2 is then translated by the guest's
 * tables. False: they no longer translate it.
 */
static truth fault_ipa(const struct trap_frame *f, bool code, u64 *ipa)
{
	u64 esr = f->esr_el2, par;
	unsigned as = 0; /* EL1 can read all code, even if only EL0 may execute it */

	*ipa = reported_ipa(f);
	if (abort_fault(esr) != FSC_PERMISSION || esr & DABT_S1PTW)
		return true;
	if (!code)
		as = (take_from_el0(f->spsr_el2) ? AS_EL0 : 0) | (access_writes(esr) ? AS_WRITE : 0);
	return guest_translate(f->far_el2, as, ipa, &par);
}

/*
 * Another CPU has changed the guest's tables since the fault: no decision; the guest retries and faults as they stand
 * now.
 */
static enum outcome again(struct trap_frame *f)
{
	cpu_of(f)->entered = counter(); /* no row is charged */
	return AGAIN;
}

/* Decides an access that its syndrome describes, and acts on it. */
static inline enum outcome decided(struct trap_frame *f, struct row_state *s, u64 ipa)
{
	struct access a = access_of(f, ipa);
	const struct decision *d = decide(cpu_of(f), s, a.value, ipa, f->far_el2);

	return actions[d->action](f, d, ipa);
}

static inline bool in_ram(const struct trap_frame *f, u64 ipa)
{
	return abort_fault(f->esr_el2) == FSC_PERMISSION && guest_ram(ipa, 1);
}

static enum outcome __attribute__((noinline)) decided_general(struct trap_frame *f, struct row_state *s, u64 ipa)
{
	return decided(f, s, ipa);
}

static struct row_state *row_of(struct trap_frame *f, u64 ipa)
{
	return &cpu_of(f)->rows[policy_mmio(ipa, dabt_log2_size(f->esr_el2), f->esr_el2 & DABT_WNR)];
}

COLD enum outcome trap_access(struct trap_frame *f, u64 ipa)
{
	void *ram = guest_ram(ipa, 1u << dabt_log2_size(f->esr_el2));
	struct cpu *c = cpu_of(f);
	enum outcome outcome;

	if (POLICY_MEMORY && ram && f->esr_el2 & DABT_WNR && policy_ram(ipa, false) != NO_ROW)
		return trap_ram(f, ipa, false);
	if (ram)
		return act_allow(f, NULL, (u64)ram);
	outcome = decided_general(f, row_of(f, ipa), ipa);
	if (outcome != NEXT)
		return outcome; /* trap_end() does the rest */
	c->row->cost += counter() - c->entered;
	if (c->record)
		complete_record(c);
	c->entered = counter();
	return outcome;
}

/* IPAs end at bit 51. Above stand the kind of fault, CM, S1PTW, WnR, SAS and ISV: the key has all that decides. */
static inline u64 key_of(u64 esr, u64 ipa)
{
	return ipa | FIELD(esr, 8, 2) << 52 | FIELD(esr, 24, 22) << 59;
}

static inline struct mmio_lookup *lookup_of(struct trap_frame *f, u64 ipa)
{
	return &cpu_of(f)->lookup_cache[ipa / 4 % LOOKUPS].mmio;
}

/* Aborts outside the windows or without a usable syndrome; and accesses that the lookup cache has not seen. */
COLD enum outcome trap_dabt_general(struct trap_frame *f)
{
	u64 esr = f->esr_el2, ipa;
	struct row_state *s;

	if (!fault_ipa(f, false, &ipa))
		return again(f);
	if (esr & DABT_S1PTW)
		return trap_exception(f, EXC_DABT_WALK, 0, ipa, FORWARD);
	if (esr & DABT_CM)
		return trap_exception(f, EXC_DABT_NO_SYNDROME, 0, ipa, NEXT); /* EL2 caches nothing there */
	if (POLICY_MEMORY && in_ram(f, ipa))
		return trap_ram(f, ipa, false);
	if (!(esr & DABT_ISV))
		return trap_insn(f, ipa);

	s = row_of(f, ipa);
	if (abort_fault(esr) == FSC_TRANSLATION) /* for other faults the IPA may not be the key's */
		*lookup_of(f, ipa) = (struct mmio_lookup){ key_of(esr, ipa), s };
	return decided_general(f, s, ipa);
}

/* The slow path, from the row on. */
static void __attribute__((noinline)) slow_path(struct trap_frame *f, struct row_state *s, u64 ipa)
{
	trap_end(f, decided(f, s, ipa));
}

static void __attribute__((noinline)) not_met(struct trap_frame *f)
{
	trap_end(f, trap_dabt_general(f));
}

static void __attribute__((noinline)) finish(struct trap_frame *f, struct row_state *s, u64 pc, u64 ticks)
{
	u64 esr = f->esr_el2, value = f->x[dabt_rt(esr)];

	if (esr & DABT_WNR)
		value = low_bits(value, dabt_log2_size(esr));
	fast_finish(cpu_of(f), pc, s, ticks, f->spsr_el2, value, reported_ipa(f), f->far_el2);
}

static void __attribute__((noinline)) next32(struct trap_frame *f, struct row_state *s, u64 pc, u64 spsr)
{
	u64 ticks;

	f->elr_el2 = pc; /* undoes fast_next_pc() */
	f->spsr_el2 = spsr;
	trap_next32(f);
	if (!fast_end(cpu_of(f), s, &ticks))
		finish(f, s, pc, ticks);
}

static inline void finish_fast(struct trap_frame *f, struct row_state *s)
{
	u64 spsr = f->spsr_el2, pc = fast_next_pc(f), ticks;

	if (unlikely(spsr & SPSR_A32)) { /* AArch32 at EL0, which EL2 cannot forbid */
		next32(f, s, pc, spsr);
		return;
	}
	if (unlikely(!fast_end(cpu_of(f), s, &ticks)))
		finish(f, s, pc, ticks);
}

static void __attribute__((noinline)) fast_uart_write(struct trap_frame *f, struct row_state *s, u64 esr, u64 offset)
{
	vuart_write((u32)offset, low_bits(f->x[dabt_rt(esr)], dabt_log2_size(esr)));
	finish_fast(f, s);
}

/*
 * A console sends a character: it polls FR for room, then writes DR. FR's flags fit into the narrowest access; the PL011
 * takes as much of a written value as its register is wide.
 */
static inline void fast_uart(struct trap_frame *f, struct row_state *s, u64 esr, u64 ipa)
{
	u64 offset = ipa - s->decision->value, *reg = &f->x[dabt_rt(esr)];

	if (offset == UART_FR && !(esr & (DABT_WNR | DABT_SSE))) {
		*reg = vuart_flags;
		finish_fast(f, s);
	} else if (esr & DABT_WNR) {
		fast_uart_write(f, s, esr, offset);
	} else {
		slow_path(f, s, ipa);
	}
}

/* Distributor registers that are read without the lock: most of a guest's GICD accesses. */
static void fast_emulate(struct trap_frame *f, struct row_state *s, u64 esr, u64 ipa)
{
	u32 offset = (u32)(ipa - s->decision->value);
	unsigned rt = dabt_rt(esr);
	u64 value;

	if (s->decision->arg == MODEL_VGIC_DIST && (esr & (DABT_SAS | DABT_SSE)) == DABT_WORD) {
		if (esr & DABT_WNR) {
			if (vgic_dist_idle_write(offset, (u32)f->x[rt])) {
				finish_fast(f, s);
				return;
			}
		} else if (vgic_dist_peek(offset, &value)) {
			f->x[rt] = (u32)value;
			finish_fast(f, s);
			return;
		}
	} else if (s->decision->arg == MODEL_PL011) {
		fast_uart(f, s, esr, ipa);
		return;
	}
	slow_path(f, s, ipa);
}

void trap_dabt(struct trap_frame *f, u64 esr)
{
	u64 ipa = reported_ipa(f);
	struct mmio_lookup *lookup = lookup_of(f, ipa);

	if (unlikely(lookup->key != key_of(esr, ipa)))
		not_met(f);
	else if (lookup->row->path == ACT_EMULATE)
		fast_emulate(f, lookup->row, esr, ipa);
	else
		slow_path(f, lookup->row, ipa);
}

COLD enum outcome trap_iabt(struct trap_frame *f)
{
	u64 ipa;

	if (!fault_ipa(f, true, &ipa))
		return again(f);
	return POLICY_MEMORY && in_ram(f, ipa) && !(f->esr_el2 & DABT_S1PTW) ? trap_ram(f, ipa, true) :
							     trap_exception(f, EC_IABT_LOW, 0, ipa, FORWARD);
}
