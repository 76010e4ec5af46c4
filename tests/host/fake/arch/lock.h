/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/arch/lock.h for a laptop, where one thread is all CPUs: nobody ever waits, so what a lock is for here is its order.
 * Taking one that stands before one that is held, or a second time, ends the test.
 */
#ifndef HV_ARCH_LOCK_H
#define HV_ARCH_LOCK_H

#include <stdio.h>
#include <stdlib.h>
#include "arch/arch.h"

struct spinlock {
	u32 next, serving;
	u64 holder, taken, longest_wait, longest_hold;
	const char *name;
	u32 order;
};

#define FAKE_LOCKS 8
__attribute__((weak)) struct spinlock *fake_held[FAKE_LOCKS]; /* the first fake_holds are taken, the last one last */
__attribute__((weak)) unsigned fake_holds;

static inline u32 ticket_draw(u32 *next) { return (*next)++; }
static inline u32 ticket_serving(const u32 *serving) { return *serving; }
static inline void ticket_wait(const u32 *serving, u32 mine)
{
	if (*serving != mine)
		abort();
}

void spin_wait(struct spinlock *l, u32 mine);

static inline bool lock_taken(const struct spinlock *l) { return l->next != l->serving; }

static inline void spin_lock(struct spinlock *l)
{
	const struct spinlock *last = fake_holds ? fake_held[fake_holds - 1] : NULL;

	if (lock_taken(l) || fake_holds == FAKE_LOCKS || (last && last->order >= l->order)) {
		fprintf(stderr, "lock '%s' is taken behind '%s': cpu/locks.h has them the other way round\n", l->name,
			last ? last->name : "itself");
		abort();
	}
	ticket_draw(&l->next);
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
	l->serving++;
}

/* What a longjmp() left taken. */
static inline void locks_forget(void)
{
	while (fake_holds)
		spin_unlock(fake_held[0]);
}

#endif
