/* SPDX-License-Identifier: Apache-2.0 */
/* The locks, the order in which they are taken, who holds and who awaits them. */
#ifndef HV_LOCKS_H
#define HV_LOCKS_H

#include "cpu/cpu.h"

/* The order: a CPU that holds a lock takes only later ones. */
enum lock_order {
	ORDER_CPUS,   /* which CPUs are on */
	ORDER_LOG,    /* how far records of any CPU have been written; requests of the operator's keys */
	ORDER_LINE,   /* the UART, its output ring, the owner of its input; the guest's PL011 */
	ORDER_RTC,    /* the guest's PL031 */
	ORDER_VIRTIO, /* one mediated virtio device and its queues: each has its own lock */
	ORDER_DIST,   /* the guest's distributor, and redistributors of CPUs that are off */
	ORDER_RULES,  /* flags of rows that other CPUs may change */
	ORDER_COUNT
};

extern struct spinlock cpus_lock, log_lock, line_lock, rtc_lock, dist_lock, rules_lock;
extern struct spinlock *const locks; /* the first one; `behind` leads to the last, in their order */

/* Adds a virtio device's lock, all zeros, at boot, before those added earlier; a CPU holds one of them at a time. */
void lock_add_virtio(struct spinlock *l);

/* Set by a panic: the holder of a lock may be gone, so locks are no longer waited for. */
extern bool locks_void;

/* Whether this CPU holds `l` or, after a panic, need not. */
static inline bool lock_mine(const struct spinlock *l)
{
	return lock_held_here(l) || locks_void;
}
/* Takes `l` unless this CPU holds it; lock_leave() undoes that much. */
bool lock_enter(struct spinlock *l);
static inline void lock_leave(struct spinlock *l, bool entered)
{
	if (entered)
		spin_unlock(l);
}

/* The lock that CPU `c` has held for the longest time, or NULL. */
const struct spinlock *lock_held(const struct cpu *c);
/* Whether `c` waits for a lock that another CPU uses. False also for a circle of CPUs that wait for each other. */
bool lock_awaits_another(const struct cpu *c);
/* Restarts the measurement of a hold: the time in a monitor session does not count. */
void lock_restart(struct spinlock *l);
/* Prints a line for each lock: longest wait, longest hold, holder. */
void locks_say(void);

#endif
