/* SPDX-License-Identifier: Apache-2.0 */
/* The locks, waiting for one, and what the watchdog asks of them. */
#include "cpu/locks.h"

#define LOCK(n, o) { .name = n, .order = o }

struct spinlock shared = LOCK("shared", ORDER_SHARED);
struct spinlock rules_lock = LOCK("rules", ORDER_RULES);

struct spinlock *const locks[ORDER_COUNT] = { [ORDER_SHARED] = &shared, [ORDER_RULES] = &rules_lock };

static u32 restarts;

void spin_wait(struct spinlock *l, u32 mine)
{
	struct cpu *c = this_cpu();
	u64 start = counter(), waited;
	u32 before = restarts;

	c->waits = l;
	ticket_wait(&l->serving, mine);
	c->waits = NULL;
	waited = counter() - start;
	if (waited > l->longest_wait && before == restarts)
		l->longest_wait = waited;
}

void lock_restart(struct spinlock *l)
{
	restarts++;
	l->taken = counter();
}

const struct spinlock *lock_held(const struct cpu *c)
{
	const struct spinlock *found = NULL;

	for (unsigned i = 0; i < ORDER_COUNT; i++)
		if (locks[i]->holder == (u64)c && (!found || locks[i]->taken < found->taken))
			found = locks[i];
	return found;
}

bool lock_awaits_another(const struct cpu *c)
{
	const struct cpu *at = c;

	for (unsigned n = 0; n < MAX_CPUS; n++) {
		const struct spinlock *l = at->waits;

		if (!l)
			return at != c;
		at = (const struct cpu *)l->holder;
		if (!at) /* on its way from one to the next */
			return true;
		if (at == c)
			return false;
	}
	return true; /* behind others' circle */
}
