/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mediated virtio-mmio (virtio 1.1, "Virtio Over MMIO", legacy interface too). The driver's split virtqueues stay in
 * guest RAM; the device gets others, in EL2's memory, into which chains are copied once, checked and translated.
 * A driver that breaks the rules gets a device that needs reset: the real one has been reset by then.
 *
 * Descriptors hold all guest addresses of the device types that are given; types whose requests name memory in other
 * ways (balloon, GPU, IOMMU, pmem, ...) are never shown. Not offered: indirect descriptors, event index, packed rings.
 */
#include "board/board.h"
#include "board/gic.h"
#include "board/mmu.h"
#include "cpu/locks.h"
#include "dev/vgic.h"
#include "dev/virtio_device.h"
#include "log/evidence.h"

#define MAGIC               0x74726976 /* "virt" */
#define STATUS_FEATURES_OK  8u
#define STATUS_NEEDS_RESET  0x40u

#define TYPE_NET            1
#define TYPE_BLOCK          2
#define TYPE_CONSOLE        3
#define TYPE_ENTROPY        4
#define BLK_RO              BIT(5)

/* Features that a driver may be offered: the bits of its type, ANY_LAYOUT (27); of the upper word VERSION_1 alone. */
#define ANY_LAYOUT          BIT(27)
#define OFFER_NET           0x1fffffu  /* through CTRL_VLAN and CTRL_RX_EXTRA, without MQ and its kind */
#define OFFER_BLOCK         0x6e76u    /* SIZE_MAX SEG_MAX GEOMETRY RO BLK_SIZE FLUSH TOPOLOGY CONFIG_WCE DISCARD ZEROES */
#define OFFER_CONSOLE       1u         /* SIZE; not MULTIPORT, which needs more queues than QUEUES */
#define OFFER_VERSION_1     1u

struct device *virtio_devices[VIRTIO_TRANSPORTS];

void virtio_line(const struct device *d)
{
	vgic_set_level(d->irq, d->isr != 0);
}

/* Resets the real device and the state kept for it. */
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
	virtio_line(d);
}

/* The real device is stopped first: it holds nothing of the driver's any more. */
void virtio_break(struct device *d, const char *why)
{
	real_write(d, REG_STATUS, 0);
	for (unsigned i = 0; i < QUEUES; i++)
		d->queue[i].live = false;
	d->broken = true;
	d->why = why;
	d->isr |= ISR_CONFIG;
	virtio_line(d);
	/* Logged at the 1st, 2nd, 4th, ... time: a driver can break rules in a loop. */
	d->breaks++;
	if (!(d->breaks & (d->breaks - 1)))
		log_event(this_cpu(), EV_DEVICE_BROKEN, (u64)why, d->pa);
}

/* --- registers -------------------------------------------------------------------------------------------------- */

static struct device *device_of(u64 ipa)
{
	u64 n = (ipa - VIRTIO_PA) / VIRTIO_STRIDE;

	return n < VIRTIO_TRANSPORTS ? virtio_devices[n] : NULL;
}

static u64 register_read(const struct device *d, u32 reg, unsigned size)
{
	const struct queue *q;
	u64 value;

	if (reg >= REG_CONFIG)
		return reg % size == 0 && guarded_read(d->pa + reg, size, &value) ? value : 0;
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

u64 virtio_read(u64 ipa, unsigned size)
{
	struct device *d = device_of(ipa);
	u32 reg = (u32)(ipa % VIRTIO_STRIDE);
	u64 value;

	if (!d) /* the transport is empty, or the model does not serve its device */
		return size == 4 ? reg == REG_MAGIC ? MAGIC : reg == REG_VERSION : 0;
	spin_lock(&d->lock);
	value = register_read(d, reg, size);
	spin_unlock(&d->lock);
	return value;
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
		value &= ~STATUS_FEATURES_OK; /* virtio's answer to features that the device refuses */
	d->status = value;
	real_write(d, REG_STATUS, value);
}

/* Legacy: one page number places the queue; avail and used ring follow its descriptors. */
static void write_pfn(struct device *d, struct queue *q, u32 pfn)
{
	if (!pfn) { /* the board's device takes 0 as a reset */
		reset(d);
		return;
	}
	if (!power_of_two(d->page_size, PAGE, 0x10000) || !power_of_two(d->align, 4, 0x10000)) {
		virtio_break(d, "queue-align");
		return;
	}
	q->pfn = pfn;
	q->desc = (u64)pfn * d->page_size;
	q->avail = q->desc + 16UL * q->num;
	q->used = (q->avail + 6 + 2UL * q->num + d->align - 1) & ~((u64)d->align - 1);
	virtio_queue_start(d, d->queue_sel);
}

static void set_half(u64 *to, u32 reg, u32 value)
{
	*to = reg & 4 ? (*to & 0xffffffff) | (u64)value << 32 : (*to & ~0xffffffffUL) | value;
}

/* The address registers of a live queue are ignored. */
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
			virtio_queue_start(d, d->queue_sel);
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

static void register_write(struct device *d, u32 reg, unsigned size, u64 v)
{
	u32 value = (u32)v;

	if (reg >= REG_CONFIG) {
		if (!d->broken && !d->read_only && reg % size == 0)
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
		virtio_line(d);
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
			virtio_queue_notify(d, value);
		return;
	}
	write_queue(d, reg, value);
}

void virtio_write(u64 ipa, unsigned size, u64 v)
{
	struct device *d = device_of(ipa);

	if (!d)
		return;
	spin_lock(&d->lock);
	register_write(d, (u32)(ipa % VIRTIO_STRIDE), size, v);
	spin_unlock(&d->lock);
}

/* --- the board -------------------------------------------------------------------------------------------------- */

bool virtio_interrupt(u32 irq)
{
	u32 n = irq - VIRTIO_IRQ;

	if (n >= VIRTIO_TRANSPORTS || !virtio_devices[n])
		return false;
	spin_lock(&virtio_devices[n]->lock);
	virtio_queue_collect(virtio_devices[n]);
	spin_unlock(&virtio_devices[n]->lock);
	return true;
}

void virtio_route(u32 cpu)
{
	for (unsigned i = 0; i < VIRTIO_TRANSPORTS; i++)
		if (virtio_devices[i])
			gic_route(VIRTIO_IRQ + i, cpu);
}

bool virtio_describe(unsigned transport, struct virtio_status *s)
{
	const struct device *d = transport < VIRTIO_TRANSPORTS ? virtio_devices[transport] : NULL;

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

/* Resets the device, so that no earlier use is still at work, and reads what it is, which never changes. */
static void probe_transport(unsigned n, const struct decision *row, u32 version, u32 type, u32 offer)
{
	struct device *d = boot_alloc(sizeof(*d), 64);

	lock_add_virtio(&d->lock);
	d->pa = VIRTIO_PA + n * VIRTIO_STRIDE;
	d->irq = VIRTIO_IRQ + n;
	d->version = version;
	d->type = type;
	d->vendor = real_read(d, REG_VENDOR_ID);
	d->read_only = row->arg == MODEL_VIRTIO_BLK_RO;
	if (VIRTIO_REQUESTS(row->mask))
		d->price = sysreg_read(cntfrq_el0) / VIRTIO_REQUESTS(row->mask);
	d->page_size = d->align = PAGE; /* registers that a device reset leaves alone: Linux writes the first before it resets */
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
		q->memory = boot_alloc(SHADOW_SIZE, PAGE);
		if (d->read_only)
			q->header = boot_alloc(QUEUE_MAX * BLK_HEADER, 64);
	}
	virtio_devices[n] = d;
	reset(d);
	gic_route(d->irq, 0);
	gic_enable(0, d->irq, true);
}

void virtio_init(void)
{
	for (unsigned n = VIRTIO_TRANSPORTS; n--;) { /* each lock comes before those of the devices found earlier */
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
			probe_transport(n, row, (u32)version, (u32)type, offer);
	}
}
