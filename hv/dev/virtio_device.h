/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the parts of the mediated virtio: virtio.c (registers, the board), virtio_queue.c, virtio_blk.c. */
#ifndef HV_VIRTIO_DEVICE_H
#define HV_VIRTIO_DEVICE_H

#include "arch/arch.h"
#include "arch/lock.h"
#include "dev/virtio.h"

#define REG_MAGIC          0x000
#define REG_VERSION        0x004
#define REG_DEVICE_ID      0x008
#define REG_VENDOR_ID      0x00c
#define REG_FEATURES       0x010
#define REG_FEATURES_SEL   0x014
#define REG_DRIVER         0x020
#define REG_DRIVER_SEL     0x024
#define REG_PAGE_SIZE      0x028 /* legacy */
#define REG_QUEUE_SEL      0x030
#define REG_QUEUE_MAX      0x034
#define REG_QUEUE_NUM      0x038
#define REG_QUEUE_ALIGN    0x03c /* legacy */
#define REG_QUEUE_PFN      0x040 /* legacy */
#define REG_QUEUE_READY    0x044
#define REG_NOTIFY         0x050
#define REG_ISR            0x060
#define REG_ACK            0x064
#define REG_STATUS         0x070
#define REG_DESC           0x080
#define REG_AVAIL          0x090
#define REG_USED           0x0a0
#define REG_SHM            0x0b0 /* to 0x0bc: no shared memory, all ones */
#define REG_GENERATION     0x0fc
#define REG_CONFIG         0x100

#define ISR_QUEUE          1u
#define ISR_CONFIG         2u

#define DESC_NEXT          1u
#define DESC_WRITE         2u

#define BLK_HEADER         16  /* bytes before the data of a disk request */

#define QUEUES             4   /* of a device; further ones are not shown to the driver */
#define QUEUE_MAX          256
#define PAGE               4096u

struct descriptor {
	u64 addr;
	u64 rest; /* length, flags << 32, next << 48: a single load reads all three */
};
static inline u32 desc_len(u64 rest)
{
	return (u32)rest;
}
static inline u16 desc_flags(u64 rest)
{
	return (u16)(rest >> 32);
}
struct used_element {
	u32 id, len;
};

/* A split virtqueue in memory, with the layout that both sides see. */
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
	bool live, spent;          /* spent: it was live at some time since the last reset */
	bool waits;                /* the policy's rate holds back chains of the driver's ring */
	u64 paid;                  /* CNTPCT up to which the rate is used up by the chains taken; a reset keeps it */
	u16 avail_seen;            /* entries taken from the driver's avail ring */
	u16 used_seen, used_given; /* entries taken from the device's used ring; entries written to the driver's */
	u16 free, n_free;          /* shadow descriptors without a chain: a list through next[] */
	u16 next[QUEUE_MAX];
	u16 last[QUEUE_MAX];       /* by first shadow descriptor of a chain in flight: its last one, else NONE */
	u16 count[QUEUE_MAX];      /* ... its length in descriptors */
	u16 head[QUEUE_MAX];       /* ... the driver's head index */
	u8 *memory;                /* the shadow ring, page aligned */
	u8 (*header)[BLK_HEADER];  /* read-only disk: copies of request headers, by first descriptor, out of the driver's reach */
};
#define SHADOW_SIZE (3 * PAGE) /* descriptors and avail ring take 2 pages, the used ring one */
_Static_assert(QUEUE_MAX * 16 + 6 + QUEUE_MAX * 2 <= 2 * PAGE && 6 + QUEUE_MAX * 8 <= PAGE, "the shadow ring fits");

struct device {
	struct spinlock lock;      /* of the members that change, the queues and the real device */
	u64 pa;
	u32 irq, version, type, vendor;
	bool read_only;
	bool broken;               /* a rule was broken: the device is dead until the driver resets it */
	bool refused;              /* the driver took features without an offer */
	u32 real[2], offered[2];   /* feature words */
	u32 features_sel, driver_sel, queue_sel;
	u32 page_size, align;      /* legacy */
	u32 status;                /* last written by the driver */
	u32 isr;                   /* bits that the driver has not acknowledged */
	u64 price;                 /* ticks that a chain uses up of its queue's rate, 0: no limit */
	u64 requests, refusals, breaks, waits;
	const char *why;
	struct queue queue[QUEUES];
};

extern struct device *virtio_devices[VIRTIO_TRANSPORTS];

static inline u32 real_read(const struct device *d, u32 reg)
{
	return mmio_read32(d->pa + reg);
}

static inline void real_write(const struct device *d, u32 reg, u32 value)
{
	mmio_write32(d->pa + reg, value);
}

static inline bool power_of_two(u64 v, u64 low, u64 high)
{
	return v >= low && v <= high && !(v & (v - 1));
}

/* Sets the guest's interrupt line to d->isr. */
void virtio_line(const struct device *d);
/* The driver or the device broke a rule, named by `why`: stops the real device until the driver resets. */
void virtio_break(struct device *d, const char *why);

/* The driver has placed queue `i`. */
void virtio_queue_start(struct device *d, u32 i);
/* The driver has put chains into queue `i`. */
void virtio_queue_notify(struct device *d, u32 i);
/* The device raised its line: gives its used elements back to the driver. */
void virtio_queue_collect(struct device *d);

/*
 * A read-only disk: reads, flushes and the serial number pass, with a copy of the header that the driver cannot change;
 * EL2 answers any other request. `first`: the chain's first shadow descriptor; `tail`: its last one. Returns false if
 * the device must not see the chain, with *why set if the driver broke a rule.
 */
bool virtio_blk_may_pass(struct queue *q, u16 first, const struct descriptor *tail, const char **why);

#endif
