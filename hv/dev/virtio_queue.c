/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shadow virtqueues (virtio 1.1, "Split Virtqueues"): chains go from the driver's ring into the device's, checked and
 * translated, as fast as the policy lets them, and come back as used elements.
 */
#include "cpu/alarm.h"
#include "cpu/locks.h"
#include "dev/virtio_device.h"
#include "vm/guestmem.h"

#define AVAIL_NO_INTERRUPT 1u
#define NONE               0xffff

static struct ring ring_at(u8 *desc, u8 *avail, u8 *used)
{
	return (struct ring){
		.desc = (volatile struct descriptor *)desc,
		.avail = (volatile u16 *)avail,
		.used = (volatile u16 *)used,
		.used_ring = (volatile struct used_element *)(used + 4),
	};
}

void virtio_queue_start(struct device *d, u32 i)
{
	struct queue *q = &d->queue[i];
	u8 *desc, *avail, *used;
	u64 pa = (u64)q->memory;

	if (q->spent || !power_of_two(q->num, 1, q->max)) {
		virtio_break(d, q->spent ? "queue-twice" : "queue-size");
		return;
	}
	desc = guest_ram(q->desc, 16UL * q->num);
	avail = guest_ram(q->avail, 6 + 2UL * q->num);
	used = guest_ram(q->used, 6 + 8UL * q->num);
	if (!desc || !avail || !used || !guest_may_write(q->used, 6 + 8UL * q->num) || q->desc & 15 || q->avail & 1 || q->used & 3) {
		virtio_break(d, "queue-address");
		return;
	}
	for (unsigned j = 0; j < SHADOW_SIZE / 8; j++)
		((volatile u64 *)q->memory)[j] = 0;
	q->guest = ring_at(desc, avail, used);
	/* The shadow ring has the legacy layout, which the modern interface accepts too. */
	q->shadow = ring_at(q->memory, q->memory + 16 * q->num,
			    q->memory + ((16U * q->num + 6 + 2 * q->num + PAGE - 1) & ~(PAGE - 1)));
	q->avail_seen = q->used_seen = q->used_given = 0;
	q->free = 0;
	q->n_free = q->num;
	for (u16 j = 0; j < q->num; j++) {
		q->next[j] = (u16)(j + 1);
		q->last[j] = NONE;
	}
	q->live = q->spent = true;
	dsb_sy();

	real_write(d, REG_QUEUE_SEL, i);
	real_write(d, REG_QUEUE_NUM, q->num);
	if (d->version == 1) {
		real_write(d, REG_PAGE_SIZE, PAGE);
		real_write(d, REG_QUEUE_ALIGN, PAGE);
		real_write(d, REG_QUEUE_PFN, (u32)(pa / PAGE));
		return;
	}
	real_write(d, REG_DESC, (u32)pa);
	real_write(d, REG_DESC + 4, (u32)(pa >> 32));
	real_write(d, REG_AVAIL, (u32)(u64)q->shadow.avail);
	real_write(d, REG_AVAIL + 4, (u32)((u64)q->shadow.avail >> 32));
	real_write(d, REG_USED, (u32)(u64)q->shadow.used);
	real_write(d, REG_USED + 4, (u32)((u64)q->shadow.used >> 32));
	real_write(d, REG_QUEUE_READY, 1);
}

/* One used element for the driver, and the index that shows it. */
static void give_back(struct queue *q, u16 head, u32 len)
{
	volatile struct used_element *e = &q->guest.used_ring[q->used_given & (q->num - 1)];

	e->id = head;
	e->len = len;
	dsb_sy();
	q->guest.used[1] = ++q->used_given;
}

/* Sets the queue's interrupt bit, unless the driver has switched it off. */
static void announce(struct device *d, struct queue *q)
{
	dsb_sy();
	if (!(q->guest.avail[0] & AVAIL_NO_INTERRUPT))
		d->isr |= ISR_QUEUE;
}

/*
 * Copies the chain that starts at the driver's descriptor `at` into free shadow descriptors, reading each field once.
 * *budget: how many more descriptors may be read. Returns NULL, or the rule that the driver broke.
 */
static const char *submit(struct device *d, struct queue *q, u16 at, unsigned *budget)
{
	u16 head = at, first = q->free, slot = first, n = 0, after, flags;
	const char *why = NULL;
	bool writable = false;
	struct descriptor e;

	for (;;) {
		volatile struct descriptor *from, *to;
		void *p;

		if (at >= q->num)
			return "descriptor-index";
		if (n == q->n_free || !(*budget)--)
			return "chain-length"; /* a loop, or longer than the queue */
		from = &q->guest.desc[at];
		e = (struct descriptor){ from->addr, from->rest };
		flags = desc_flags(e.rest);
		if (flags & ~(DESC_NEXT | DESC_WRITE))
			return "descriptor-flags";
		p = guest_ram(e.addr, desc_len(e.rest));
		if (!p || !desc_len(e.rest) || (flags & DESC_WRITE && !guest_may_write(e.addr, desc_len(e.rest))))
			return "descriptor-address";
		if (writable && !(flags & DESC_WRITE))
			return "descriptor-order";
		writable = flags & DESC_WRITE;
		e.addr = (u64)p;
		to = &q->shadow.desc[slot];
		after = q->next[slot];
		to->addr = e.addr;
		to->rest = (e.rest & 0xffffffffffff) | (flags & DESC_NEXT ? (u64)after << 48 : 0);
		n++;
		if (!(flags & DESC_NEXT))
			break;
		at = (u16)(e.rest >> 48);
		slot = after;
	}
	if (d->read_only && !virtio_blk_may_pass(q, first, &e, &why)) {
		if (why)
			return why;
		d->refusals++;
		give_back(q, head, 1);
		announce(d, q);
		return NULL;
	}
	q->free = after;
	q->n_free = (u16)(q->n_free - n);
	q->last[first] = slot;
	q->count[first] = n;
	q->head[first] = head;
	q->shadow.avail[2 + (q->shadow.avail[1] & (q->num - 1))] = first;
	dsb_sy();
	q->shadow.avail[1] = (u16)(q->shadow.avail[1] + 1);
	d->requests++;
	return NULL;
}

/*
 * Whether the policy's rate lets the next chain through; bursts are at most a second's worth. Otherwise sets an alarm,
 * at least 1 ms ahead.
 */
static bool may_take(struct device *d, struct queue *q)
{
	u64 now, second, when;

	if (!d->price)
		return true;
	now = counter();
	second = sysreg_read(cntfrq_el0);
	if (q->paid + second < now)
		q->paid = now - second;
	when = q->paid + d->price;
	if (when <= now) {
		q->paid = when;
		return true;
	}
	if (when < now + second / 1000)
		when = now + second / 1000;
	alarm_set_earlier(ALARM_VIRTIO, when);
	d->waits += !q->waits;
	q->waits = true;
	return false;
}

void virtio_queue_notify(struct device *d, u32 i)
{
	struct queue *q = &d->queue[i];
	/* Valid chains of a queue are disjoint, so together they have at most `num` descriptors. */
	unsigned budget = q->num;
	u16 n;

	if (!q->live)
		return;
	n = (u16)(q->guest.avail[1] - q->avail_seen);
	dsb_sy(); /* the index before the entries that it covers */
	if (n > q->num) {
		virtio_break(d, "avail-index");
		return;
	}
	for (; n && may_take(d, q); n--) {
		u16 head = q->guest.avail[2 + (q->avail_seen & (q->num - 1))];
		const char *why = submit(d, q, head, &budget);

		if (why) {
			virtio_break(d, why);
			return;
		}
		q->avail_seen++;
	}
	virtio_line(d);
	dsb_sy();
	/* Notifies without a look at VRING_USED_F_NO_NOTIFY, which the device may clear right after the look. */
	real_write(d, REG_NOTIFY, i);
}

/* Gives the device's used elements back to the driver. False: the device wrote an index or id that cannot be. */
static bool collect_queue(struct device *d, struct queue *q)
{
	u16 n = (u16)(q->shadow.used[1] - q->used_seen);

	if (!n)
		return true;
	if (n > q->num)
		return false;
	dsb_sy();
	for (; n; n--, q->used_seen++) {
		volatile struct used_element *e = &q->shadow.used_ring[q->used_seen & (q->num - 1)];
		u32 id = e->id, len = e->len;
		u16 end;

		if (id >= q->num || q->last[id] == NONE)
			return false;
		end = q->last[id];
		q->last[id] = NONE;
		q->next[end] = q->free;
		q->free = (u16)id;
		q->n_free = (u16)(q->n_free + q->count[id]);
		give_back(q, q->head[id], len);
	}
	announce(d, q);
	return true;
}

/* Acknowledges before collecting: an element that comes later raises the line anew. */
void virtio_queue_collect(struct device *d)
{
	u32 isr = real_read(d, REG_ISR);

	if (isr)
		real_write(d, REG_ACK, isr);
	if (d->broken)
		return;
	d->isr |= isr & ISR_CONFIG;
	for (unsigned i = 0; i < QUEUES; i++)
		if (d->queue[i].live && !collect_queue(d, &d->queue[i])) {
			virtio_break(d, "device");
			return;
		}
	virtio_line(d);
}

/* Queues that the rate held back. */
static void go_on(struct device *d)
{
	spin_lock(&d->lock);
	for (u32 i = 0; i < QUEUES; i++)
		if (d->queue[i].waits) {
			d->queue[i].waits = false;
			virtio_queue_notify(d, i);
		}
	spin_unlock(&d->lock);
}

void virtio_tick(void)
{
	/* Cleared before the look at the queues: an alarm set from here on stays, or its queue is still to be looked at. */
	alarm_set(ALARM_VIRTIO, 0);
	for (unsigned n = 0; n < VIRTIO_TRANSPORTS; n++)
		if (virtio_devices[n] && virtio_devices[n]->price)
			go_on(virtio_devices[n]);
}
