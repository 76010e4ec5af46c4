/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mediated virtio-mmio (virtio 1.1, "Virtio Over MMIO", legacy interface too). The driver's split virtqueues stay in
 * guest RAM; the device gets others, in EL2's memory, into which chains are copied once, checked and translated.
 * A driver that breaks the rules gets a device that needs reset: the real one has been reset by then.
 *
 * Descriptors hold all guest addresses of the device types that are given; types whose requests name memory in other
 * ways (balloon, GPU, IOMMU, pmem, ...) are never shown. Not offered: indirect descriptors, event index, packed rings.
 */
#include "virtio.h"
#include "alarm.h"
#include "arch/arch.h"
#include "board.h"
#include "cpu.h"
#include "gic.h"
#include "guestmem.h"
#include "mmu.h"

#define REG_MAGIC           0x000
#define REG_VERSION         0x004
#define REG_DEVICE_ID       0x008
#define REG_VENDOR_ID       0x00c
#define REG_FEATURES        0x010
#define REG_FEATURES_SEL    0x014
#define REG_DRIVER          0x020
#define REG_DRIVER_SEL      0x024
#define REG_PAGE_SIZE       0x028 /* legacy */
#define REG_QUEUE_SEL       0x030
#define REG_QUEUE_MAX       0x034
#define REG_QUEUE_NUM       0x038
#define REG_QUEUE_ALIGN     0x03c /* legacy */
#define REG_QUEUE_PFN       0x040 /* legacy */
#define REG_QUEUE_READY     0x044
#define REG_NOTIFY          0x050
#define REG_ISR             0x060
#define REG_ACK             0x064
#define REG_STATUS          0x070
#define REG_DESC            0x080
#define REG_AVAIL           0x090
#define REG_USED            0x0a0
#define REG_SHM             0x0b0 /* to 0x0bc: no shared memory, all ones */
#define REG_GENERATION      0x0fc
#define REG_CONFIG          0x100

#define MAGIC               0x74726976 /* "virt" */
#define STATUS_FEATURES_OK  8u
#define STATUS_NEEDS_RESET  0x40u
#define ISR_QUEUE           1u
#define ISR_CONFIG          2u

#define DESC_NEXT           1u
#define DESC_WRITE          2u
#define AVAIL_NO_INTERRUPT  1u

#define TYPE_NET            1
#define TYPE_BLOCK          2
#define TYPE_CONSOLE        3
#define TYPE_ENTROPY        4

#define BLK_RO              BIT(5)
#define BLK_HEADER          16
#define BLK_IN              0
#define BLK_FLUSH           4
#define BLK_GET_ID          8
#define BLK_IOERR           1

#define QUEUES              4 /* of a device, as far as the driver is told */
#define QUEUE_MAX           256
#define PAGE                4096u
#define NONE                0xffff

/* What a driver may be offered: the bits of its type, ANY_LAYOUT (27), and of the upper word VERSION_1 alone. */
#define ANY_LAYOUT          BIT(27)
#define OFFER_NET           0x1fffffu  /* to CTRL_VLAN and CTRL_RX_EXTRA; neither MQ nor what comes with it */
#define OFFER_BLOCK         0x6e76u    /* SIZE_MAX SEG_MAX GEOMETRY RO BLK_SIZE FLUSH TOPOLOGY CONFIG_WCE DISCARD ZEROES */
#define OFFER_CONSOLE       1u         /* SIZE; MULTIPORT wants more queues than there are */
#define OFFER_VERSION_1     1u

struct descriptor {
	u64 addr;
	u32 len;
	u16 flags, next;
};
struct used_element {
	u32 id, len;
};

/* A split virtqueue in memory, as both sides see it. */
struct ring {
	volatile struct descriptor *desc;
	volatile u16 *avail; /* flags, index, ring[] */
	volatile u16 *used;  /* flags, index */
	volatile struct used_element *used_ring;
};

struct queue {
	struct ring guest, shadow;
	u64 desc, avail, used;     /* IPAs, as the driver wrote them */
	u32 pfn;                   /* legacy */
	u16 max, num;
	bool live, spent;          /* spent: it was live since the last reset */
	bool waits;                /* chains are left in the driver's ring: the policy wants them later */
	u64 paid;                  /* CNTPCT up to which the chains taken use up the rate; a reset changes nothing */
	u16 avail_seen;            /* entries of the driver's avail ring taken so far */
	u16 used_seen, used_given; /* entries of the device's used ring taken; of the driver's written */
	u16 free, n_free;          /* shadow descriptors that no chain holds: a list through next[] */
	u16 next[QUEUE_MAX];
	u16 last[QUEUE_MAX];       /* by first descriptor of a chain in flight: its last one, else NONE */
	u16 count[QUEUE_MAX];      /* ... its length */
	u16 head[QUEUE_MAX];       /* ... what the driver calls it */
	u8 *memory;                /* the shadow ring, page aligned */
	u8 (*header)[BLK_HEADER];  /* read-only disk: request headers, by first descriptor, where no driver can change them */
};
#define SHADOW_SIZE (3 * PAGE) /* descriptors and avail ring 2 pages, used ring from the next */
_Static_assert(QUEUE_MAX * 16 + 6 + QUEUE_MAX * 2 <= 2 * PAGE && 6 + QUEUE_MAX * 8 <= PAGE, "the shadow ring fits");

struct device {
	u64 pa;
	u32 irq, version, type, vendor;
	bool read_only;
	bool broken;               /* the driver broke the rules: nothing goes on until it resets */
	bool refused;              /* the driver took features that it was not offered */
	u32 real[2], offered[2];   /* feature words */
	u32 features_sel, driver_sel, queue_sel;
	u32 page_size, align;      /* legacy */
	u32 status;                /* last written by the driver */
	u32 isr;                   /* what the driver has not acknowledged */
	u64 price;                 /* ticks that a chain costs its queue, 0: no limit */
	u64 requests, refusals, breaks, waits;
	const char *why;
	struct queue queue[QUEUES];
};

static struct device *devices[VIRTIO_TRANSPORTS];
static u64 due; /* CNTPCT when virtio_tick() has work, 0: never */

static u32 real_read(const struct device *d, u32 reg)
{
	return mmio_read32(d->pa + reg);
}

static void real_write(const struct device *d, u32 reg, u32 value)
{
	mmio_write32(d->pa + reg, value);
}

static void update_line(const struct device *d)
{
	vgic_set_level(d->irq, d->isr != 0);
}

/* The device forgets everything, and so do we. */
static void reset(struct device *d)
{
	real_write(d, REG_STATUS, 0);
	for (unsigned i = 0; i < QUEUES; i++) {
		struct queue *q = &d->queue[i];

		q->live = q->spent = false;
		q->num = 0;
		q->desc = q->avail = q->used = 0;
	}
	d->broken = d->refused = false;
	d->status = d->isr = 0;
	d->features_sel = d->driver_sel = d->queue_sel = 0;
	update_line(d);
}

/* The driver broke a rule. The real device is stopped first: nothing of the driver's is in its hands any more. */
static void break_device(struct device *d, const char *why)
{
	real_write(d, REG_STATUS, 0);
	for (unsigned i = 0; i < QUEUES; i++)
		d->queue[i].live = false;
	d->broken = true;
	d->why = why;
	d->isr |= ISR_CONFIG;
	update_line(d);
	/* Told at the 1st, 2nd, 4th, ... time: a driver can do this as fast as it likes. */
	d->breaks++;
	if (!(d->breaks & (d->breaks - 1)))
		log_event(this_cpu(), EV_DEVICE_BROKEN, (u64)why, d->pa);
}

/* --- queues ----------------------------------------------------------------------------------------------------- */

static struct ring ring_at(u8 *desc, u8 *avail, u8 *used)
{
	return (struct ring){
		.desc = (volatile struct descriptor *)desc,
		.avail = (volatile u16 *)avail,
		.used = (volatile u16 *)used,
		.used_ring = (volatile struct used_element *)(used + 4),
	};
}

static bool power_of_two(u64 v, u64 low, u64 high)
{
	return v >= low && v <= high && !(v & (v - 1));
}

/* The driver says that queue `i` is in place. */
static void start_queue(struct device *d, unsigned i)
{
	struct queue *q = &d->queue[i];
	u8 *desc, *avail, *used;
	u64 pa = (u64)q->memory;

	if (q->spent || !power_of_two(q->num, 1, q->max)) {
		break_device(d, q->spent ? "queue-twice" : "queue-size");
		return;
	}
	desc = guest_ram(q->desc, 16UL * q->num);
	avail = guest_ram(q->avail, 6 + 2UL * q->num);
	used = guest_ram(q->used, 6 + 8UL * q->num);
	if (!desc || !avail || !used || q->desc & 15 || q->avail & 1 || q->used & 3) {
		break_device(d, "queue-address");
		return;
	}
	for (unsigned j = 0; j < SHADOW_SIZE / 8; j++)
		((volatile u64 *)q->memory)[j] = 0;
	q->guest = ring_at(desc, avail, used);
	/* The legacy layout for this size, which suits the modern interface as well. */
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

/* The driver wants to hear of used elements. */
static void announce(struct device *d, struct queue *q)
{
	dsb_sy();
	if (!(q->guest.avail[0] & AVAIL_NO_INTERRUPT))
		d->isr |= ISR_QUEUE;
}

/*
 * A read-only disk: reads, flushes and the serial number pass, with a header that the driver cannot change any more.
 * Anything else is answered here. `first`: the chain's first shadow descriptor; `tail`: its last one.
 * Returns false if the device must not see the chain; *why is set if the driver broke a rule.
 */
static bool may_pass(struct queue *q, u16 first, const struct descriptor *tail, const char **why)
{
	volatile struct descriptor *d = &q->shadow.desc[first];
	const volatile u8 *from = (const volatile u8 *)d->addr;
	u8 *header = q->header[first];
	u32 type;

	/* The legacy interface fixes the header's descriptor, and every driver does it so. */
	if (d->flags & DESC_WRITE || d->len != BLK_HEADER || !(tail->flags & DESC_WRITE)) {
		*why = "request-form";
		return false;
	}
	for (unsigned i = 0; i < BLK_HEADER; i++)
		header[i] = from[i];
	type = header[0] | (u32)header[1] << 8 | (u32)header[2] << 16 | (u32)header[3] << 24;
	if (type == BLK_IN || type == BLK_FLUSH || type == BLK_GET_ID) {
		d->addr = (u64)header;
		return true;
	}
	*(volatile u8 *)(tail->addr + tail->len - 1) = BLK_IOERR;
	return false;
}

/*
 * Copies the chain that starts at the driver's descriptor `at` into free shadow descriptors, each field read once.
 * *budget: how many descriptors may still be looked at. Returns why the device is broken now, or NULL.
 */
static const char *submit(struct device *d, struct queue *q, u16 at, unsigned *budget)
{
	u16 head = at, first = q->free, slot = first, n = 0, after;
	const char *why = NULL;
	bool writable = false;
	struct descriptor e;

	for (;;) {
		volatile struct descriptor *from, *to;
		void *p;

		if (at >= q->num)
			return "descriptor-index";
		if (n == q->n_free || !(*budget)--)
			return "chain-length"; /* a loop, or more than the queue holds */
		from = &q->guest.desc[at];
		e = (struct descriptor){ from->addr, from->len, from->flags, from->next };
		if (e.flags & ~(DESC_NEXT | DESC_WRITE))
			return "descriptor-flags";
		p = guest_ram(e.addr, e.len);
		if (!p || !e.len)
			return "descriptor-address";
		if (writable && !(e.flags & DESC_WRITE))
			return "descriptor-order";
		writable = e.flags & DESC_WRITE;
		e.addr = (u64)p;
		to = &q->shadow.desc[slot];
		to->addr = e.addr;
		to->len = e.len;
		to->flags = e.flags;
		after = q->next[slot];
		to->next = e.flags & DESC_NEXT ? after : 0;
		n++;
		if (!(e.flags & DESC_NEXT))
			break;
		at = e.next;
		slot = after;
	}
	if (d->read_only && !may_pass(q, first, &e, &why)) {
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

/* The policy's rate, with a second's worth at once: false if the next chain must wait. No alarm is nearer than 1 ms. */
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
	if (!due || when < due) {
		due = when;
		alarm_set(ALARM_VIRTIO, due);
	}
	d->waits += !q->waits;
	q->waits = true;
	return false;
}

/* The driver has put chains into queue `i`. */
static void notify(struct device *d, u32 i)
{
	struct queue *q = &d->queue[i];
	/* All chains of a queue that keeps the rules are disjoint: there are never more descriptors to look at. */
	unsigned budget = q->num;
	u16 n;

	if (!q->live)
		return;
	n = (u16)(q->guest.avail[1] - q->avail_seen);
	dsb_sy(); /* the index, then what it shows */
	if (n > q->num) {
		break_device(d, "avail-index");
		return;
	}
	for (; n && may_take(d, q); n--) {
		u16 head = q->guest.avail[2 + (q->avail_seen & (q->num - 1))];
		const char *why = submit(d, q, head, &budget);

		if (why) {
			break_device(d, why);
			return;
		}
		q->avail_seen++;
	}
	update_line(d);
	dsb_sy();
	/* Always: the device's own wish not to be told is its matter between two looks at the ring. */
	real_write(d, REG_NOTIFY, i);
}

/* What the device has finished with goes back to the driver. False: the device talks nonsense. */
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

/* Acknowledged first: what the device finishes from here on raises its line anew. */
static void collect(struct device *d)
{
	u32 isr = real_read(d, REG_ISR);

	if (isr)
		real_write(d, REG_ACK, isr);
	if (d->broken)
		return;
	d->isr |= isr & ISR_CONFIG;
	for (unsigned i = 0; i < QUEUES; i++)
		if (d->queue[i].live && !collect_queue(d, &d->queue[i])) {
			break_device(d, "device");
			return;
		}
	update_line(d);
}

/* --- registers -------------------------------------------------------------------------------------------------- */

static struct device *device_of(u64 ipa)
{
	u64 n = (ipa - VIRTIO_PA) / VIRTIO_STRIDE;

	return n < VIRTIO_TRANSPORTS ? devices[n] : NULL;
}

u64 virtio_read(u64 ipa, unsigned size)
{
	struct device *d = device_of(ipa);
	u32 reg = (u32)(ipa % VIRTIO_STRIDE);
	const struct queue *q;
	u64 value;

	if (!d) /* a transport without a device, or whose device the model does not serve */
		return size == 4 ? reg == REG_MAGIC ? MAGIC : reg == REG_VERSION : 0;
	if (reg >= REG_CONFIG)
		return size <= 4 && reg % size == 0 && guarded_read(d->pa + reg, size, &value) ? value : 0;
	if (size != 4)
		return 0;
	q = d->queue_sel < QUEUES ? &d->queue[d->queue_sel] : NULL;
	switch (reg) {
	case REG_MAGIC: return MAGIC;
	case REG_VERSION: return d->version;
	case REG_DEVICE_ID: return d->type;
	case REG_VENDOR_ID: return d->vendor;
	case REG_FEATURES: return d->features_sel < 2 ? d->offered[d->features_sel] : 0;
	case REG_QUEUE_MAX: return q ? q->max : 0;
	case REG_QUEUE_PFN: return q && q->live && d->version == 1 ? q->pfn : 0;
	case REG_QUEUE_READY: return q && q->live && d->version != 1;
	case REG_ISR: return d->isr;
	case REG_STATUS: return d->broken ? d->status | STATUS_NEEDS_RESET : real_read(d, REG_STATUS);
	case REG_SHM: case REG_SHM + 4: case REG_SHM + 8: case REG_SHM + 12: return 0xffffffff;
	case REG_GENERATION: return real_read(d, REG_GENERATION);
	}
	return 0;
}

static void write_features(struct device *d, u32 value)
{
	u32 sel = d->driver_sel;

	if (sel > 1)
		return;
	if (value & ~d->offered[sel])
		d->refused = true;
	real_write(d, REG_DRIVER_SEL, sel);
	real_write(d, REG_DRIVER, value & d->offered[sel] & d->real[sel]);
}

static void write_status(struct device *d, u32 value)
{
	value &= 0xff & ~STATUS_NEEDS_RESET;
	if (!value) {
		reset(d);
		return;
	}
	if (d->broken)
		return;
	if (d->refused)
		value &= ~STATUS_FEATURES_OK; /* the standard's way to say no */
	d->status = value;
	real_write(d, REG_STATUS, value);
}

/* Legacy: one number places the queue, as the ring's parts follow each other. */
static void write_pfn(struct device *d, struct queue *q, u32 pfn)
{
	if (!pfn) { /* to the board's device this is a reset */
		reset(d);
		return;
	}
	if (!power_of_two(d->page_size, PAGE, 0x10000) || !power_of_two(d->align, 4, 0x10000)) {
		break_device(d, "queue-align");
		return;
	}
	q->pfn = pfn;
	q->desc = (u64)pfn * d->page_size;
	q->avail = q->desc + 16UL * q->num;
	q->used = (q->avail + 6 + 2UL * q->num + d->align - 1) & ~((u64)d->align - 1);
	start_queue(d, d->queue_sel);
}

static void set_half(u64 *to, u32 reg, u32 value)
{
	*to = reg & 4 ? (*to & 0xffffffff) | (u64)value << 32 : (*to & ~0xffffffffUL) | value;
}

/* A queue that is live keeps its place: there its registers are read no more. */
static void write_queue(struct device *d, u32 reg, u32 value)
{
	struct queue *q = d->queue_sel < QUEUES ? &d->queue[d->queue_sel] : NULL;

	if (!q || !q->max)
		return;
	switch (reg) {
	case REG_QUEUE_NUM:
		if (!q->live)
			q->num = value <= QUEUE_MAX ? (u16)value : 0;
		return;
	case REG_QUEUE_PFN:
		if (d->version == 1)
			write_pfn(d, q, value);
		return;
	case REG_QUEUE_READY:
		if (d->version == 1 || (!value && !q->live))
			return;
		if (value & 1) {
			start_queue(d, d->queue_sel);
			return;
		}
		real_write(d, REG_QUEUE_SEL, d->queue_sel);
		real_write(d, REG_QUEUE_READY, 0);
		q->live = false;
		return;
	}
	if (q->live || d->version == 1)
		return;
	switch (reg & ~4u) {
	case REG_DESC: set_half(&q->desc, reg, value); break;
	case REG_AVAIL: set_half(&q->avail, reg, value); break;
	case REG_USED: set_half(&q->used, reg, value); break;
	}
}

void virtio_write(u64 ipa, unsigned size, u64 v)
{
	struct device *d = device_of(ipa);
	u32 reg = (u32)(ipa % VIRTIO_STRIDE), value = (u32)v;

	if (!d)
		return;
	if (reg >= REG_CONFIG) {
		if (!d->broken && !d->read_only && size <= 4 && reg % size == 0)
			guarded_write(d->pa + reg, size, v);
		return;
	}
	if (size != 4)
		return;
	switch (reg) {
	case REG_STATUS:
		write_status(d, value);
		return;
	case REG_ACK:
		d->isr &= ~value;
		update_line(d);
		return;
	}
	if (d->broken)
		return;
	switch (reg) {
	case REG_FEATURES_SEL: d->features_sel = value; return;
	case REG_DRIVER_SEL: d->driver_sel = value; return;
	case REG_DRIVER: write_features(d, value); return;
	case REG_PAGE_SIZE: d->page_size = value; return;
	case REG_QUEUE_SEL: d->queue_sel = value; return;
	case REG_QUEUE_ALIGN: d->align = value; return;
	case REG_NOTIFY:
		if (value < QUEUES)
			notify(d, value);
		return;
	}
	write_queue(d, reg, value);
}

/* --- the board -------------------------------------------------------------------------------------------------- */

bool virtio_interrupt(u32 irq)
{
	u32 n = irq - VIRTIO_IRQ;

	if (n >= VIRTIO_TRANSPORTS || !devices[n])
		return false;
	collect(devices[n]);
	return true;
}

void virtio_tick(void)
{
	if (!due)
		return;
	due = 0;
	alarm_set(ALARM_VIRTIO, 0);
	for (unsigned n = 0; n < VIRTIO_TRANSPORTS; n++)
		for (u32 i = 0; devices[n] && i < QUEUES; i++)
			if (devices[n]->queue[i].waits) {
				devices[n]->queue[i].waits = false;
				notify(devices[n], i);
			}
}

void virtio_route(u32 cpu)
{
	for (unsigned i = 0; i < VIRTIO_TRANSPORTS; i++)
		if (devices[i])
			gic_route(VIRTIO_IRQ + i, cpu);
}

bool virtio_describe(unsigned transport, struct virtio_status *s)
{
	const struct device *d = transport < VIRTIO_TRANSPORTS ? devices[transport] : NULL;

	if (!d)
		return false;
	*s = (struct virtio_status){
		.type = d->type,
		.status = d->broken ? d->status | STATUS_NEEDS_RESET : d->status,
		.requests = d->requests,
		.refused = d->refusals,
		.waits = d->waits,
		.breaks = d->breaks,
		.why = d->why,
	};
	return true;
}

/* Whether model `model` serves devices of this type; *offer is what it offers of the lower feature word. */
static bool serves(unsigned model, u32 type, u32 *offer)
{
	switch (type) {
	case TYPE_NET:
		*offer = OFFER_NET;
		return model == MODEL_VIRTIO_MMIO || model == MODEL_VIRTIO_NET;
	case TYPE_BLOCK:
		*offer = OFFER_BLOCK;
		return model == MODEL_VIRTIO_MMIO || model == MODEL_VIRTIO_BLK || model == MODEL_VIRTIO_BLK_RO;
	case TYPE_CONSOLE:
		*offer = OFFER_CONSOLE;
		return model == MODEL_VIRTIO_MMIO;
	case TYPE_ENTROPY:
		*offer = 0;
		return model == MODEL_VIRTIO_MMIO;
	}
	return false;
}

/* Reset, so that nothing that ran before us is still at work; then what the device is, which never changes. */
static void adopt(unsigned n, const struct decision *row, u32 version, u32 type, u32 offer)
{
	struct device *d = carve(sizeof(*d), 64);

	d->pa = VIRTIO_PA + n * VIRTIO_STRIDE;
	d->irq = VIRTIO_IRQ + n;
	d->version = version;
	d->type = type;
	d->vendor = real_read(d, REG_VENDOR_ID);
	d->read_only = row->arg == MODEL_VIRTIO_BLK_RO;
	if (VIRTIO_REQUESTS(row->mask))
		d->price = sysreg_read(cntfrq_el0) / VIRTIO_REQUESTS(row->mask);
	d->page_size = d->align = PAGE; /* a reset of the device leaves them: Linux writes the first before it */
	real_write(d, REG_STATUS, 0);
	for (u32 i = 0; i < 2; i++) {
		real_write(d, REG_FEATURES_SEL, i);
		d->real[i] = real_read(d, REG_FEATURES);
	}
	d->offered[0] = (d->real[0] & (offer | ANY_LAYOUT) & ~VIRTIO_WITHHELD(row->mask)) | (d->read_only ? BLK_RO : 0);
	d->offered[1] = version == 1 ? 0 : d->real[1] & OFFER_VERSION_1;
	for (u32 i = 0; i < QUEUES; i++) {
		struct queue *q = &d->queue[i];
		u32 max;

		real_write(d, REG_QUEUE_SEL, i);
		max = real_read(d, REG_QUEUE_MAX);
		q->max = (u16)(max < QUEUE_MAX ? max : QUEUE_MAX);
		if (!q->max)
			continue;
		q->memory = carve(SHADOW_SIZE, PAGE);
		if (d->read_only)
			q->header = carve(QUEUE_MAX * BLK_HEADER, 64);
	}
	devices[n] = d;
	reset(d);
	gic_route(d->irq, 0);
	gic_enable(0, d->irq, true);
}

void virtio_init(void)
{
	for (unsigned n = 0; n < VIRTIO_TRANSPORTS; n++) {
		u64 pa = VIRTIO_PA + n * VIRTIO_STRIDE, magic, version, type;
		const struct decision *row = &policy_rows[policy_mmio(pa, 2, false)];
		u32 offer;

		if (row->action != ACT_EMULATE)
			continue;
		if (!guarded_read(pa, 4, &magic) || (u32)magic != MAGIC)
			continue;
		if (!guarded_read(pa + REG_VERSION, 4, &version) || !guarded_read(pa + REG_DEVICE_ID, 4, &type))
			continue;
		if ((version == 1 || version == 2) && serves(row->arg, (u32)type, &offer))
			adopt(n, row, (u32)version, (u32)type, offer);
	}
}
