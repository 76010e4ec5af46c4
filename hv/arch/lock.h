/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks that starve no CPU: a free lock goes to the first CPU that tries it, until one has waited for LOCK_PATIENCE. That
 * CPU draws a ticket, and CPUs with tickets come first, in their order. Tickets from the first moment on would hand the
 * lock to vCPU threads that a busy host does not run, and all others would wait for them each time.
 * cpu/locks.h has the locks that there are and the order they are taken in.
 */
#ifndef HV_ARCH_LOCK_H
#define HV_ARCH_LOCK_H

#include "arch/arch.h"

#define LOCK_PATIENCE(second) ((second) / 5) /* ticks */

struct spinlock {
	volatile u32 busy;  /* it is held */
	volatile u32 next, serving; /* tickets of CPUs that have waited long: the next one, the one whose turn it is */
	volatile u64 holder; /* TPIDR_EL2 of the CPU that holds it; 0: free, or only just taken */
	u64 taken;          /* CNTPCT when it was taken */
	u64 longest_wait, longest_hold; /* ticks, without what an open monitor took */
	const char *name;
	u32 order;          /* enum lock_order: the host build checks it, the target only at boot */
	struct spinlock *behind; /* the next one in that order, or NULL */
};

/* Takes the next number. */
static inline u32 ticket_draw(volatile u32 *next)
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
static inline void ticket_wait(const volatile u32 *serving, u32 mine)
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
/* A store that wakes those that wait in WFE for it. */
static inline void lock_store(volatile u32 *to, u32 v)
{
	asm volatile("stlr %w1, %0" : "=Q"(*to) : "rZ"(v) : "memory");
}
static inline u32 atomic_load(const volatile u32 *from)
{
	u32 v;

	asm volatile("ldar %w0, %1" : "=r"(v) : "Q"(*from) : "memory");
	return v;
}
/* Sets bits that another CPU takes. What was stored before is seen by whoever has taken them. */
static inline void atomic_or(volatile u32 *to, u32 bits)
{
	u32 v, failed;

	asm volatile("1:	ldxr	%w0, %2\n"
		     "	orr	%w0, %w0, %w3\n"
		     "	stlxr	%w1, %w0, %2\n"
		     "	cbnz	%w1, 1b\n"
		     : "=&r"(v), "=&r"(failed), "+Q"(*to)
		     : "r"(bits)
		     : "memory");
}
/* All the bits that others have set, once. */
static inline u32 atomic_take(volatile u32 *from)
{
	u32 v, failed;

	asm volatile("1:	ldaxr	%w0, %2\n"
		     "	stxr	%w1, wzr, %2\n"
		     "	cbnz	%w1, 1b\n"
		     : "=&r"(v), "=&r"(failed), "+Q"(*from)
		     :
		     : "memory");
	return v;
}
/* True: it was `old`, and is `v`. */
static inline bool atomic_replace(volatile u64 *at, u64 old, u64 v)
{
	u64 was;
	u32 failed = 1;

	asm volatile("1:	ldaxr	%0, %2\n"
		     "	cmp	%0, %3\n"
		     "	b.ne	2f\n"
		     "	stlxr	%w1, %4, %2\n"
		     "	cbnz	%w1, 1b\n"
		     "2:\n"
		     : "=&r"(was), "+&r"(failed), "+Q"(*at)
		     : "r"(old), "r"(v)
		     : "memory", "cc");
	return !failed;
}
/* True: it was not busy, and is. */
static inline bool lock_try(volatile u32 *busy)
{
	u32 failed;

	asm volatile("1:	ldaxr	%w0, %1\n"
		     "	cbnz	%w0, 2f\n"
		     "	stxr	%w0, %w2, %1\n"
		     "	cbnz	%w0, 1b\n"
		     "2:\n"
		     : "=&r"(failed), "+Q"(*busy)
		     : "r"(1)
		     : "memory");
	return !failed;
}
/* Until it is not busy, or whenever something has happened. */
static inline void lock_pause(const volatile u32 *busy)
{
	u32 v;

	asm volatile("	ldaxr	%w0, %1\n"
		     "	cbz	%w0, 1f\n"
		     "	wfe\n"
		     "1:\n"
		     : "=&r"(v)
		     : "Q"(*busy)
		     : "memory");
}

/* cpu/locks.c. Held for a bounded time, never while a guest runs. Not before the MMU is on. */
void lock_take(struct spinlock *l);
void lock_give(struct spinlock *l);
static inline void spin_lock(struct spinlock *l)
{
	lock_take(l);
}
static inline void spin_unlock(struct spinlock *l)
{
	lock_give(l);
}
static inline bool lock_held_here(const struct spinlock *l)
{
	return l->holder == sysreg_read(tpidr_el2);
}

#endif
