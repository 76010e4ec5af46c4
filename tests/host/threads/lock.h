/* SPDX-License-Identifier: Apache-2.0 */
/* hv/arch/lock.h for host tests with a thread for each CPU: the same operations as atomics that ThreadSanitizer knows. */
#ifndef HV_ARCH_LOCK_H
#define HV_ARCH_LOCK_H

#include "lib/types.h"

u64 fake_sysreg_read(const char *name);

struct spinlock {
	u32 busy, next, serving;
	u64 holder, taken, longest_wait, longest_hold;
	const char *name;
	u32 order;
	struct spinlock *behind;
};

#define LOCK_PATIENCE(second) ((second) / 5)
#define LOCK_TRIES 1u

static inline u32 ticket_draw(u32 *next) { return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED); }
void ticket_wait(const u32 *serving, u32 mine);
static inline void lock_store(u32 *to, u32 v) { __atomic_store_n(to, v, __ATOMIC_RELEASE); }
static inline void atomic_or(volatile u32 *to, u32 bits) { __atomic_fetch_or(to, bits, __ATOMIC_RELEASE); }
static inline u32 atomic_take(volatile u32 *from) { return __atomic_exchange_n(from, 0, __ATOMIC_ACQUIRE); }
static inline bool lock_try(u32 *busy) { return !__atomic_exchange_n(busy, 1, __ATOMIC_ACQUIRE); }
void lock_pause(const u32 *busy);
void lock_take(struct spinlock *l);
void lock_give(struct spinlock *l);
static inline bool lock_held_here(const struct spinlock *l)
{
	return __atomic_load_n(&l->holder, __ATOMIC_RELAXED) == fake_sysreg_read("tpidr_el2");
}
static inline void spin_lock(struct spinlock *l)
{
	while (!lock_try(&l->busy))
		lock_pause(&l->busy);
	__atomic_store_n(&l->holder, fake_sysreg_read("tpidr_el2"), __ATOMIC_RELAXED);
}
static inline void spin_unlock(struct spinlock *l)
{
	if (!lock_held_here(l))
		__builtin_trap();
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELAXED);
	lock_store(&l->busy, 0);
}

#endif
