/* SPDX-License-Identifier: Apache-2.0 */
/* Which locks there are, in which order they are taken, and who holds and awaits them. */
#ifndef HV_LOCKS_H
#define HV_LOCKS_H

#include "cpu/cpu.h"

/* Whoever holds one takes only those behind it. */
enum lock_order {
	ORDER_SHARED, /* vGIC, UART, log output: whatever two CPUs may touch */
	ORDER_RULES,  /* flags of rows, which not only their own CPU changes */
	ORDER_COUNT
};

extern struct spinlock shared, rules_lock;
extern struct spinlock *const locks[ORDER_COUNT];

/* The one of them that this CPU holds and has held longest, or NULL. */
const struct spinlock *lock_held(const struct cpu *c);
/* Whether `c` waits for a lock that another CPU is using: not itself, by a circle of CPUs that wait for each other. */
bool lock_awaits_another(const struct cpu *c);
/* A monitor's session is no hold: what follows is measured from here. */
void lock_restart(struct spinlock *l);
/* Each lock a line: longest wait, longest hold, and who holds it. */
void locks_say(void);

#endif
