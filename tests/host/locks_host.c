/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/cpu/locks.c. argv: the order in which locks are taken, by number; `-` and a number releases one. Without argv:
 * which CPU the watchdog may blame, for every way in which three CPUs can hold and await two locks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cpu/locks.h"

u64 fake_now, fake_step = 3;
#define PATIENCE 1000

static struct cpu cpu[3];
static unsigned me;

u64 fake_sysreg_read(const char *name) { return strcmp(name, "cntfrq_el0") ? (u64)&cpu[me] : 5 * PATIENCE; }

/* The second telling: follows the arrows in plain numbers: holder[lock], waits[cpu], -1: none. */
static bool behind_another(const int holder[2], const int waits[3], int c)
{
	int at = c;

	for (unsigned n = 0; n < 100; n++) {
		if (waits[at] < 0)
			return at != c;
		if (holder[waits[at]] < 0)
			return true;
		at = holder[waits[at]];
		if (at == c)
			return false;
	}
	return true;
}

static void blame(void)
{
	struct spinlock *const two[2] = { locks, locks->behind };
	unsigned n = 0;

	for (int a = 0; a < 4 * 4 * 3 * 3 * 3; a++, n++) {
		int holder[2] = { a % 4 - 1, a / 4 % 4 - 1 };
		int waits[3] = { a / 16 % 3 - 1, a / 48 % 3 - 1, a / 144 % 3 - 1 };

		for (unsigned i = 0; i < 2; i++) {
			two[i]->holder = holder[i] < 0 ? 0 : (u64)&cpu[holder[i]];
			two[i]->taken = 10 + i * 5 + (u64)a % 7;
		}
		for (unsigned i = 0; i < 3; i++)
			cpu[i].waits = waits[i] < 0 ? NULL : two[waits[i]];
		for (int i = 0; i < 3; i++) {
			const struct spinlock *want = holder[0] == i ? two[0] : holder[1] == i ? two[1] : NULL;

			if (lock_awaits_another(&cpu[i]) != behind_another(holder, waits, i) || lock_held(&cpu[i]) != want) {
				fprintf(stderr, "locks_host: case %d, CPU %d\n", a, i);
				abort();
			}
		}
	}
	two[0]->holder = two[1]->holder = 0;
	printf("cases=%u\n", n);
}

static struct spinlock *contended;
static unsigned pauses, drawn;

/* Other CPUs hold the lock for so many more pauses. */
static void others(void)
{
	if (!pauses--)
		abort();
	drawn += contended->next != contended->serving;
	if (!pauses)
		contended->busy = 0;
}

/* Waits that end in time, and waits that need a ticket; and one during which the monitor was open. */
static void measure(void)
{
	struct spinlock *l = contended = locks;

	fake_step = 1;
	fake_others = others;
	for (unsigned n = 1; n < 3 * PATIENCE; n += 7) {
		l->longest_wait = drawn = 0;
		l->busy = 1;
		pauses = n;
		lock_take(l); /* the target's, not the fake */
		if (!l->busy || cpu[0].waits || l->next != l->serving || pauses || l->longest_wait < (n < PATIENCE ? n : PATIENCE))
			abort();
		if ((drawn > 0) != (n > PATIENCE)) /* each look moves the clock on by one */
			abort();
	}
	lock_restart(l);
	if (l->taken != fake_now)
		abort();
	l->busy = 0;
}

/* All locks in their order, with those of two devices, which have the same one. */
static struct spinlock devices[2], *all[ORDER_COUNT + 1];

static void list(void)
{
	unsigned n = 0;

	lock_add_virtio(&devices[1]);
	lock_add_virtio(&devices[0]);
	for (struct spinlock *l = locks; l; l = l->behind) {
		if (n == ARRAY_SIZE(all) || l->order != n - (n > ORDER_VIRTIO) || !l->name)
			abort();
		all[n++] = l;
	}
	if (n != ARRAY_SIZE(all) || all[ORDER_VIRTIO + 1] != &devices[1])
		abort();
}

int main(int argc, char **argv)
{
	list();
	if (argc == 1) {
		blame();
		measure();
	}
	for (int i = 1; i < argc; i++) {
		int n = atoi(argv[i]);

		if (argv[i][0] == '-')
			spin_unlock(all[-n]);
		else
			spin_lock(all[n]);
	}
	return 0;
}
