/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trap classes. Each handler is a function of the frame. Handlers on which guests wait end a trap themselves
 * (fast_path.h or trap_end()); the others return an outcome for trap_end().
 */
#ifndef HV_TRAP_H
#define HV_TRAP_H

#include "cpu/cpu.h"

/* Called by trap_sync(); `esr` is the frame's. */
void trap_sysreg(struct trap_frame *f, u64 esr); /* MSR, MRS, SYS */
void trap_dabt(struct trap_frame *f, u64 esr);   /* stage 2 data abort */
void trap_hvc(struct trap_frame *f, u64 esr);
void trap_smc(struct trap_frame *f, u64 esr);

/* Serves ICC_SGI1R_EL1, ICC_ASGI1R_EL1 and ICC_SGI0R_EL1, `value` as written. */
enum outcome trap_send_sgi(struct trap_frame *f, u64 value);

/*
 * One access of several, which the frame's syndrome describes (ISV), to `ipa`: by the policy, counted and recorded; one to
 * RAM is simply made.
 */
enum outcome trap_access(struct trap_frame *f, u64 ipa);
/* trap_insn.c: one that it does not describe. */
enum outcome trap_insn(struct trap_frame *f, u64 ipa);
enum outcome trap_dabt_general(struct trap_frame *f);
enum outcome trap_iabt(struct trap_frame *f);   /* stage 2 instruction abort */
enum outcome trap_ram(struct trap_frame *f, u64 ipa, bool exec); /* permission fault in guest RAM */
enum outcome trap_wfx(struct trap_frame *f);
enum outcome trap_other(struct trap_frame *f);  /* all other classes, by the policy's `exceptions` */

/* Acts on the outcome, adds the row's cost, completes its record and does the pending work. */
void trap_end(struct trap_frame *f, enum outcome v);
/* Moves past an instruction of an AArch32 EL0, of two bytes or four; the next may be conditional (ITAdvance()). */
void trap_next32(struct trap_frame *f);
/* trap_end()'s last step: the pending work. */
void trap_work(struct cpu *c);

/*
 * Applies the policy's answer for exception class `class`; `allowed` is the outcome of ALLOW. `value` and `addr` are its
 * record's.
 */
enum outcome trap_exception(struct trap_frame *f, unsigned class, u64 value, u64 addr, enum outcome allowed);

/* Called by vectors.S. */
void trap_sync(struct trap_frame *f, u64 esr); /* esr: of the frame */
void trap_sync32(struct trap_frame *f, u64 esr); /* ... of an AArch32 EL1, which HCR_EL2.RW rules out */
void trap_irq(struct trap_frame *f);
void trap_serror(struct trap_frame *f);

#endif
