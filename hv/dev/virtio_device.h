/* SPDX-License-Identifier: Apache-2.0 */
/* What the rooms of the mediated virtio share: virtio.c (registers, the board), virtio_queue.c, virtio_blk.c. */
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

#define BLK_HEADER         16  /* bytes of a disk request before its data */

#define QUEUES             4   /* of a device: more are not shown to the driver */
#define QUEUE_MAX          256
#define PAGE               4096u

struct descriptor {
	u64 addr;
	u64 rest; /* length, flags << 32, next << 48: one load reads each once */
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
	struct spinlock lock;      /* all that follows but what never changes, the queues, and the real device */
	char lock_name[9];         /* "virtio31" */
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

/* The guest's interrupt as d->isr has it. */
void virtio_line(const struct device *d);
/* The driver, or the device, broke a rule: the real one is stopped, and nothing goes on until the driver resets. */
void virtio_break(struct device *d, const char *why);

/* The driver says that queue `i` is in place. */
void virtio_queue_start(struct device *d, u32 i);
/* The driver has put chains into queue `i`. */
void virtio_queue_notify(struct device *d, u32 i);
/* The device raised its line: what it has finished with goes back to the driver. */
void virtio_queue_collect(struct device *d);

/*
 * A read-only disk: reads, flushes and the serial number pass, with a header that the driver cannot change any more.
 * Anything else is answered here. `first`: the chain's first shadow descriptor; `tail`: its last one.
 * Returns false if the device must not see the chain; *why is set if the driver broke a rule.
 */
bool virtio_blk_may_pass(struct queue *q, u16 first, const struct descriptor *tail, const char **why);

#endif
