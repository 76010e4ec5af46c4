/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/arch/lock.h for a host, where one thread is all CPUs, so that no lock is waited for. It checks the order: taking a
 * lock that comes before a held one, or the same one again, ends the test.
 */
#ifndef HV_ARCH_LOCK_H
#define HV_ARCH_LOCK_H

#include <stdio.h>
#include <stdlib.h>
#include "arch/arch.h"

struct spinlock {
	u32 busy, next, serving;
	u64 holder, taken, longest_wait, longest_hold;
	const char *name;
	u32 order;
	struct spinlock *behind;
};

#define FAKE_LOCKS 8
__attribute__((weak)) struct spinlock *fake_held[FAKE_LOCKS]; /* the first fake_holds are held, the latest one last */
__attribute__((weak)) unsigned fake_holds;

#define LOCK_PATIENCE(second) ((second) / 5)
#define LOCK_TRIES 0u

/* The other CPUs' work while this one waits. */
__attribute__((weak)) void (*fake_others)(void);

static inline u32 ticket_draw(u32 *next) { return (*next)++; }
static inline void ticket_wait(const u32 *serving, u32 mine)
{
	while (*serving != mine)
		fake_others();
}
static inline void lock_store(volatile u32 *to, u32 v) { *to = v; }
static inline void atomic_or(volatile u32 *to, u32 bits) { *to |= bits; }
static inline u32 atomic_take(volatile u32 *from)
{
	u32 v = *from;

	*from = 0;
	return v;
}
static inline void atomic_earlier(volatile u64 *at, u64 when)
{
	if (!*at || when < *at)
		*at = when;
}
static inline bool lock_try(u32 *busy) { return *busy ? false : (*busy = 1); }
static inline void lock_pause(const u32 *busy)
{
	(void)busy;
	fake_others();
}
void lock_take(struct spinlock *l);
void lock_give(struct spinlock *l);

static inline bool lock_taken(const struct spinlock *l) { return l->busy; }

static inline bool lock_held_here(const struct spinlock *l) { return lock_taken(l); }

static inline void spin_lock(struct spinlock *l)
{
	const struct spinlock *last = fake_holds ? fake_held[fake_holds - 1] : NULL;

	if (lock_taken(l) || fake_holds == FAKE_LOCKS || (last && last->order >= l->order)) {
		fprintf(stderr, "lock '%s' is taken behind '%s': cpu/locks.h has them the other way round\n", l->name,
			last ? last->name : "itself");
		abort();
	}
	l->busy = 1;
	fake_held[fake_holds++] = l;
}

static inline void spin_unlock(struct spinlock *l)
{
	unsigned i = 0;

	while (i < fake_holds && fake_held[i] != l)
		i++;
	if (i == fake_holds) {
		fprintf(stderr, "lock '%s' is released and nobody has it\n", l->name);
		abort();
	}
	for (fake_holds--; i < fake_holds; i++)
		fake_held[i] = fake_held[i + 1];
	l->busy = 0;
}

/* Drops the locks that a longjmp() has left taken. */
static inline void locks_forget(void)
{
	while (fake_holds)
		spin_unlock(fake_held[0]);
}

#endif
