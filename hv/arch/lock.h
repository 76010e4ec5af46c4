/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks without starvation: a free lock goes to the first CPU that tries it, until a CPU has waited for LOCK_PATIENCE
 * and has tried LOCK_TRIES times. It then draws a ticket, and CPUs with tickets come first, in order. Tickets for every
 * waiter would give the lock to vCPU threads that a busy host does not run, with all others waiting for them; a wait that
 * the host made long, by not running this one, is none of tries. cpu/locks.h lists the locks and their order.
 */
#ifndef HV_ARCH_LOCK_H
#define HV_ARCH_LOCK_H

#include "arch/arch.h"

#define LOCK_PATIENCE(second) ((second) / 5) /* ticks */
#define LOCK_TRIES (1u << 16)                /* 10 ms of a vCPU that does nothing else */

struct spinlock {
	volatile u32 busy;  /* 1: held */
	volatile u32 next, serving; /* tickets of CPUs that have waited long: the next one drawn, the one whose turn it is */
	volatile u64 holder; /* TPIDR_EL2 of the CPU that holds it; 0: free, or taken a moment ago */
	u64 taken;          /* CNTPCT when it was taken */
	u64 longest_wait, longest_hold; /* ticks, without the time of an open monitor */
	const char *name;
	u32 order;          /* enum lock_order; checked by host builds only */
	struct spinlock *behind; /* the next one in that order, or NULL */
};

/* Draws the next ticket. */
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
/* A store that wakes CPUs waiting for it in WFE. */
static inline void lock_store(volatile u32 *to, u32 v)
{
	asm volatile("stlr %w1, %0" : "=Q"(*to) : "rZ"(v) : "memory");
}
/* Sets bits that another CPU takes with atomic_take(), which sees all stores before this one. */
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
/* Clears all bits and returns them. */
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
/* The earlier of the time there and `when`; 0 there is none, which is later than all. */
static inline void atomic_earlier(volatile u64 *at, u64 when)
{
	u64 was;
	u32 failed;

	asm volatile("1:	ldxr	%0, %2\n"
		     "	sub	%0, %0, #1\n"
		     "	cmp	%0, %3\n"
		     "	b.lo	2f\n"
		     "	stxr	%w1, %3, %2\n"
		     "	cbnz	%w1, 1b\n"
		     "2:\n"
		     : "=&r"(was), "=&r"(failed), "+Q"(*at)
		     : "r"(when)
		     : "memory", "cc");
}
/* Takes the lock if it is free; false: it was busy. */
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
/* Returns when the lock is free, or after any event. */
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

/* cpu/locks.c. A lock is held for a bounded time, never while a guest runs, and needs the MMU on. */
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
