/* SPDX-License-Identifier: Apache-2.0 */
/* Which locks there are, in which order they are taken, and who holds and awaits them. */
#ifndef HV_LOCKS_H
#define HV_LOCKS_H

#include "cpu/cpu.h"

/* Whoever holds one takes only those behind it. */
enum lock_order {
	ORDER_CPUS,   /* which CPUs are on */
	ORDER_LOG,    /* which records of any CPU have gone to the line, and what the operator's keys ask for */
	ORDER_LINE,   /* the UART, what is to be sent on it, whose input comes; the guest's PL011 */
	ORDER_RTC,    /* the guest's PL031 */
	ORDER_VIRTIO, /* one mediated virtio device and its queues: each has its own lock */
	ORDER_DIST,   /* the guest's distributor, and the redistributors of CPUs that are off */
	ORDER_RULES,  /* flags of rows, which not only their own CPU changes */
	ORDER_COUNT
};

extern struct spinlock cpus_lock, log_lock, line_lock, rtc_lock, dist_lock, rules_lock;
extern struct spinlock *const locks; /* the first one; `behind` leads to the last, in their order */

/* A lock more, at boot: none of its order is taken while another of it is held. `name` stays. */
void lock_add(struct spinlock *l, const char *name, enum lock_order order);

/* A panic: whoever holds a lock may be gone, and nobody waits for one any more to say what happened. */
extern bool locks_void;

/* Whether this CPU holds it, or need not. */
static inline bool lock_mine(const struct spinlock *l)
{
	return lock_held_here(l) || locks_void;
}
/* Takes it unless this CPU has it; gives it back if that was so. */
static inline bool lock_enter(struct spinlock *l)
{
	if (lock_mine(l))
		return false;
	spin_lock(l);
	return true;
}
static inline void lock_leave(struct spinlock *l, bool entered)
{
	if (entered)
		spin_unlock(l);
}

/* The one of them that this CPU holds and has held longest, or NULL. */
const struct spinlock *lock_held(const struct cpu *c);
/* Whether `c` waits for a lock that another CPU is using: not itself, by a circle of CPUs that wait for each other. */
bool lock_awaits_another(const struct cpu *c);
/* A monitor's session is no hold: what follows is measured from here. */
void lock_restart(struct spinlock *l);
/* Each lock a line: longest wait, longest hold, and who holds it. */
void locks_say(void);

#endif
