/* SPDX-License-Identifier: Apache-2.0 */
/* The locks: taking and giving them, and answers for the watchdog. */
#include "cpu/locks.h"

#define LOCK(n, o, b) { .name = (n), .order = (o), .behind = (b) }

struct spinlock rules_lock = LOCK("rules", ORDER_RULES, NULL);
struct spinlock dist_lock = LOCK("dist", ORDER_DIST, &rules_lock);
struct spinlock rtc_lock = LOCK("rtc", ORDER_RTC, &dist_lock);
struct spinlock line_lock = LOCK("line", ORDER_LINE, &rtc_lock);
struct spinlock log_lock = LOCK("log", ORDER_LOG, &line_lock);
struct spinlock cpus_lock = LOCK("cpus", ORDER_CPUS, &log_lock);
struct spinlock *const locks = &cpus_lock;

bool locks_void;

static u32 restarts;

COLD void lock_add_virtio(struct spinlock *l)
{
	l->name = "virtio";
	l->order = ORDER_VIRTIO;
	l->behind = rtc_lock.behind;
	rtc_lock.behind = l;
}

/* Waits with a ticket: from here on no CPU without one can overtake this CPU. */
static COLD void wait_for_turn(struct spinlock *l)
{
	u32 mine = ticket_draw(&l->next);

	ticket_wait(&l->serving, mine);
	while (!lock_try(&l->busy))
		lock_pause(&l->busy);
	lock_store(&l->serving, mine + 1);
}

/* Waits for `l`, measures how long, and lets the watchdog see it. */
static COLD void __attribute__((noinline)) wait(struct spinlock *l)
{
	struct cpu *c = this_cpu();
	u64 start = counter(), waited, patience = LOCK_PATIENCE(sysreg_read(cntfrq_el0));
	u32 before = restarts, tries = 0;

	c->waits = l;
	while (l->next != l->serving || !lock_try(&l->busy)) {
		if (++tries > LOCK_TRIES && counter() - start > patience) {
			wait_for_turn(l);
			break;
		}
		lock_pause(&l->busy);
	}
	c->waits = NULL;
	waited = counter() - start;
	if (waited > l->longest_wait && before == restarts)
		l->longest_wait = waited;
}

void __attribute__((noinline)) lock_take(struct spinlock *l)
{
	if (unlikely(l->next != l->serving || !lock_try(&l->busy)))
		wait(l);
	l->holder = sysreg_read(tpidr_el2);
	l->taken = counter();
}

void lock_give(struct spinlock *l)
{
	u64 held = counter() - l->taken;

	if (unlikely(held > l->longest_hold))
		l->longest_hold = held;
	l->holder = 0;
	lock_store(&l->busy, 0);
}

bool lock_enter(struct spinlock *l)
{
	if (lock_mine(l))
		return false;
	spin_lock(l);
	return true;
}

COLD void lock_restart(struct spinlock *l)
{
	restarts++;
	l->taken = counter();
}

COLD const struct spinlock *lock_held(const struct cpu *c)
{
	const struct spinlock *found = NULL;

	for (const struct spinlock *l = locks; l; l = l->behind)
		if (l->holder == (u64)c && (!found || l->taken < found->taken))
			found = l;
	return found;
}

COLD bool lock_awaits_another(const struct cpu *c)
{
	const struct cpu *at = c;

	for (unsigned n = 0; n < MAX_CPUS; n++) {
		const struct spinlock *l = at->waits;

		if (!l)
			return at != c;
		at = (const struct cpu *)l->holder;
		if (!at) /* between two holders */
			return true;
		if (at == c)
			return false;
	}
	return true; /* waits behind a circle of other CPUs */
}
