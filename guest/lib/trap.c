/* SPDX-License-Identifier: Apache-2.0 */
/* Handles the guest's exceptions: notes one that TRY() waits for and goes on behind it; gives up on any other. */
#include "trap.h"

struct trap_caught trap_caught;
void (*trap_irq)(void);

extern const char text_start[], text_end[];

/* SP_EL1 is used throughout (EL1h), and there is no EL0: the other twelve slots are always an error. */
enum { SLOT_SYNC = 4, SLOT_IRQ, SLOT_FIQ, SLOT_SERROR };

static bool armed;

void trap_arm(void)
{
	trap_caught = (struct trap_caught){ 0 };
	asm volatile("" : : : "memory");
	armed = true;
	asm volatile("" : : : "memory");
}

void trap_disarm(void)
{
	asm volatile("isb" : : : "memory"); /* a pending virtual SError is taken before this */
	armed = false;
	asm volatile("" : : : "memory");
}

static bool is_code(u64 address)
{
	return address >= (u64)text_start && address < (u64)text_end && address % 4 == 0;
}

/* Where to go on: behind the instruction or, after a jump to no code, at the return address. */
static u64 behind(const struct trap_frame *f)
{
	if (!is_code(f->elr))
		return f->x[30];
	return FIELD(f->esr, 31, 26) == EC_SVC64 ? f->elr : f->elr + 4;
}

void trap_exception(u64 slot, struct trap_frame *f);
void trap_exception(u64 slot, struct trap_frame *f)
{
	if (slot == SLOT_IRQ && trap_irq) {
		trap_irq();
		return;
	}
	if (slot == SLOT_SERROR && armed) {
		if (!trap_caught.serror++ && !trap_caught.sync)
			trap_caught.esr = f->esr;
		return;
	}
	if (slot == SLOT_SYNC && armed) {
		if (!trap_caught.sync++) {
			trap_caught.esr = f->esr;
			trap_caught.elr = f->elr;
			trap_caught.far = f->far;
			trap_caught.spsr = f->spsr;
			trap_caught.insn = is_code(f->elr) ? *(const u32 *)f->elr : 0;
		}
		f->elr = behind(f);
		return;
	}
	armed = false;
	trap_unexpected(slot, f);
}
