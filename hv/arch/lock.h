/* SPDX-License-Identifier: Apache-2.0 */
/* Ticket locks: who comes first is in first. cpu/locks.h has the locks that there are and the order they are taken in. */
#ifndef HV_ARCH_LOCK_H
#define HV_ARCH_LOCK_H

#include "arch/arch.h"

struct spinlock {
	u32 next, serving;  /* the next CPU's ticket, and the holder's */
	volatile u64 holder; /* TPIDR_EL2 of the CPU that is in; 0: free, or only just taken */
	u64 taken;          /* CNTPCT when it came in */
	u64 longest_wait, longest_hold; /* ticks, without what an open monitor took */
	const char *name;
	u32 order;          /* enum lock_order: the host build checks it, the target never looks */
};

/* Takes the next number. */
static inline u32 ticket_draw(u32 *next)
{
	u32 mine, after, failed;

	asm volatile("1:	ldxr	%w0, %3\n"
		     "	add	%w1, %w0, #1\n"
		     "	stxr	%w2, %w1, %3\n"
		     "	cbnz	%w2, 1b\n"
		     : "=&r"(mine), "=&r"(after), "=&r"(failed), "+Q"(*next)
		     :
		     : "memory");
	return mine;
}
static inline u32 ticket_serving(const u32 *serving)
{
	u32 v;

	asm volatile("ldar %w0, %1" : "=r"(v) : "Q"(*serving) : "memory");
	return v;
}
static inline void ticket_wait(const u32 *serving, u32 mine)
{
	u32 v;

	asm volatile("	sevl\n"
		     "1:	wfe\n"
		     "	ldaxr	%w0, %1\n"
		     "	cmp	%w0, %w2\n"
		     "	b.ne	1b\n"
		     : "=&r"(v)
		     : "Q"(*serving), "r"(mine)
		     : "memory", "cc");
}
static inline void ticket_serve(u32 *serving, u32 ticket)
{
	asm volatile("stlr %w1, %0" : "=Q"(*serving) : "r"(ticket) : "memory"); /* wakes those that wait in WFE */
}

/* cpu/locks.c: until `mine` is served; the wait is measured, and the watchdog knows of it. */
void spin_wait(struct spinlock *l, u32 mine);

/* Held for a bounded time, never while a guest runs. Not before the MMU is on. */
static inline void spin_lock(struct spinlock *l)
{
	u32 mine = ticket_draw(&l->next);

	if (unlikely(ticket_serving(&l->serving) != mine))
		spin_wait(l, mine);
	l->holder = sysreg_read(tpidr_el2);
	l->taken = counter();
}
static inline void spin_unlock(struct spinlock *l)
{
	u64 held = counter() - l->taken;

	if (unlikely(held > l->longest_hold))
		l->longest_hold = held;
	l->holder = 0;
	ticket_serve(&l->serving, l->serving + 1);
}

#endif
