/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/dev/virtio.c between a driver, honest or hostile, and a device that trusts nothing: it aborts as soon as it is
 * shown an address outside the guest's RAM, or more than the policy's rate. argv: scenario, version (1 or 2), read-only
 * (0 or 1), first seed, number of seeds, mask of the policy's row. With -DFUZZED (fuzz_host.py) bytes control the
 * hostile driver and the device.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "board/board.h"
#include "board/gic.h"
#include "board/mmu.h"
#include "cpu/alarm.h"
#include "cpu/cpu.h"
#include "cpu/locks.h"
#include "dev/vgic.h"
#include "dev/virtio.h"
#include "log/evidence.h"
#include "virtio_model.h"

#define BOOT_PA   0x40200000UL
#define BOOT_SIZE 0x400000UL
#define TRANSPORT transport
#define BASE      (VIRTIO_PA + TRANSPORT * VIRTIO_STRIDE)
#define IRQ       (VIRTIO_IRQ + TRANSPORT)
#define NUM       64

#define CHECK(what) ((what) ? (void)0 : fail(#what, __LINE__))

static unsigned seed, transport = 31;
static void fail(const char *what, int line)
{
	fprintf(stderr, "virtio_host.c:%d: seed %u: %s\n", line, seed, what);
	abort();
}

#ifdef FUZZED
static const u8 *input;
static size_t input_left;
static u32 any(u32 n)
{
	u32 v = 0;

	for (u32 most = n - 1; most && input_left; most >>= 8, input_left--)
		v = v << 8 | *input++;
	return v % n;
}
#else
static u64 random_state;
static u32 any(u32 n) /* 0 to n - 1 */
{
	random_state = random_state * 6364136223846793005UL + 1442695040888963407UL;
	return (u32)(random_state >> 33) % n;
}
#endif

/*
 * --- called by hv/dev/virtio.c ---------------------------------------------------------------------------------------
 */

u64 fake_now, fake_step;
extern struct device *virtio_devices[VIRTIO_TRANSPORTS];
struct cpu *cpus[MAX_CPUS];
unsigned n_cpus = 1;
/* Declared constant, as the generated ones are; main() chooses the model before they are read. */
asm(".globl policy_rows\n.set policy_rows, rows");
struct decision rows[2] = { { .action = ACT_DENY }, { .action = ACT_EMULATE } };
static u64 carved = BOOT_PA;
static bool line, enabled, routed;
static unsigned route_to;
static unsigned events;

#define HZ 62500000UL
static u64 due, rate; /* EL2's alarm; requests a second, 0: no limit */
u64 fake_sysreg_read(const char *name) { return strcmp(name, "cntfrq_el0") ? 0 : HZ; }
void alarm_set(enum alarm which, u64 when) { CHECK(which == ALARM_VIRTIO && !when); due = 0; }
void alarm_set_earlier(enum alarm which, u64 when)
{
	CHECK(rate && which == ALARM_VIRTIO && when > fake_now);
	if (!due || when < due)
		due = when;
}
void fake_sysreg_write(const char *name, u64 value) { (void)name; (void)value; }
void fake_at(u64 va, bool write, bool both) { (void)va; (void)write; (void)both; abort(); }
u16 policy_mmio(u64 ipa, unsigned log2, bool write)
{
	(void)log2;
	(void)write;
	return ipa / VIRTIO_STRIDE == BASE / VIRTIO_STRIDE;
}
void *boot_alloc(size_t size, size_t align)
{
	u64 at = (carved + align - 1) & ~(u64)(align - 1);

	carved = at + size;
	CHECK(carved <= BOOT_PA + BOOT_SIZE);
	return (void *)at;
}
void vgic_set_level(u32 irq, bool level) { CHECK(irq == IRQ); line = level; }
void gic_route(u32 irq, u32 cpu) { CHECK(irq == IRQ && cpu == route_to); routed = true; }
void gic_enable(u32 cpu, u32 irq, bool on) { CHECK(irq == IRQ && cpu == 0); enabled = on; }
void log_event(struct cpu *c, enum log_event event, u64 value, u64 addr)
{
	(void)c;
	CHECK(event == EV_DEVICE_BROKEN && value && addr == BASE);
	events++;
}

/* --- the device ------------------------------------------------------------------------------------------------- */

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};
static struct {
	u32 magic, version, type, status, isr, sel, fsel, features[2], taken[2], dsel, max;
	u32 page, align;
	struct { u32 num, ready; u64 desc, avail, used; u16 seen; u32 held; u16 hold[256]; } q[4];
} dev;
static bool answers = true; /* the transport has a device */
static bool tracing;
static struct { u32 reg; u64 value; } trace[V_WRITES];
static unsigned n_trace;
static bool hostile_ro;  /* the device must see reads only */
static bool lazy;        /* the device finishes nothing */
static u64 taken[4];     /* chains shown to the device, by queue */
static u64 served;

static void dev_reset(void)
{
	dev.status = dev.isr = 0;
	memset(dev.q, 0, sizeof(dev.q));
}

/* The policy: one page that the guest may not write. */
const struct memory policy_memory[] = { { V_GUARDED, V_GUARDED + 4095, { 0, 0 }, MAY_EXEC, 0 } };
const u16 policy_n_memory = 1;

static bool guests(u64 pa, u64 size)
{
	return pa >= GUEST_PA && pa < GUEST_PA + GUEST_SIZE && size <= GUEST_PA + GUEST_SIZE - pa;
}

static bool ours(u64 pa, u64 size)
{
	return pa >= BOOT_PA && pa + size <= carved;
}

/* Serves one chain; its addresses are checked now, not at the driver's notification. */
static u32 serve(unsigned i, u16 head)
{
	const struct desc *table = (const struct desc *)dev.q[i].desc;
	u32 written = 0, n = 0;
	bool writable = false;

	for (u16 at = head;; at = table[at].next) {
		const struct desc *d = &table[at];

		CHECK(at < dev.q[i].num && n++ < dev.q[i].num);
		CHECK(d->len && !(d->flags & ~3));
		if (hostile_ro && n == 1) {
			CHECK(ours(d->addr, 16) && d->len == 16 && !(d->flags & 2));
			CHECK(*(u32 *)d->addr == 0 || *(u32 *)d->addr == 4 || *(u32 *)d->addr == 8);
		} else {
			CHECK(guests(d->addr, d->len));
		}
		CHECK(!writable || d->flags & 2);
		if (d->flags & 2) {
			writable = true;
			*(volatile u8 *)d->addr = 0xd0;
			*(volatile u8 *)(d->addr + d->len - 1) = 0;
			written += d->len;
		} else {
			(void)*(volatile u8 *)d->addr;
		}
		if (!(d->flags & 1))
			break;
	}
	served++;
	return written;
}

/* Takes new chains, and finishes some of them, in any order. */
static void dev_run(unsigned share)
{
	share = lazy ? 0 : share;
	for (unsigned i = 0; i < 4; i++) {
		u16 *avail = (u16 *)dev.q[i].avail, *used = (u16 *)dev.q[i].used;
		bool done = false;

		if (!dev.q[i].ready || !(dev.status & 4))
			continue;
		CHECK(ours(dev.q[i].desc, 16 * dev.q[i].num) && ours(dev.q[i].avail, 6 + 2 * dev.q[i].num) &&
		      ours(dev.q[i].used, 6 + 8 * dev.q[i].num));
		CHECK(avail[0] == 0);
		while (dev.q[i].seen != avail[1]) {
			CHECK(dev.q[i].held < dev.q[i].num);
			taken[i]++;
			CHECK(!rate || taken[i] <= rate + fake_now / (HZ / rate));
			dev.q[i].hold[dev.q[i].held++] = avail[2 + dev.q[i].seen++ % dev.q[i].num];
		}
		while (dev.q[i].held && any(100) < share) {
			u32 k = any(dev.q[i].held);
			u16 head = dev.q[i].hold[k];
			u32 *e = (u32 *)(used + 2) + 2 * (used[1] % dev.q[i].num);

			dev.q[i].hold[k] = dev.q[i].hold[--dev.q[i].held];
			e[1] = serve(i, head);
			e[0] = head;
			used[1]++;
			done = true;
		}
		if (done)
			dev.isr |= 1;
	}
}

u32 mmio_read32(u64 pa)
{
	CHECK(pa >= BASE && pa < BASE + 0x100);
	switch (pa - BASE) {
	case 0x000: return dev.magic;
	case 0x004: return dev.version;
	case 0x008: return dev.type;
	case 0x00c: return 0x554d4551;
	case 0x0fc: return 0x1d;
	case 0x010: return dev.fsel < 2 ? dev.features[dev.fsel] : 0;
	case 0x034: return dev.sel < 3 ? dev.max : 0;
	case 0x060: return dev.isr;
	case 0x070: return dev.status;
	}
	return 0;
}

static void note_write(u32 reg, u64 value)
{
	if (tracing && n_trace < V_WRITES) {
		trace[n_trace].reg = reg;
		trace[n_trace++].value = value;
	}
}

void mmio_write32(u64 pa, u32 v)
{
	CHECK(pa >= BASE && pa < BASE + 0x100);
	note_write((u32)(pa - BASE), v);
	switch (pa - BASE) {
	case 0x014: dev.fsel = v; break;
	case 0x020: CHECK(dev.dsel < 2 && !(v & ~dev.features[dev.dsel])); dev.taken[dev.dsel] = v; break;
	case 0x024: dev.dsel = v; break;
	case 0x028: CHECK(dev.version == 1 && v == 4096); dev.page = v; break;
	case 0x030: CHECK(v < 4); dev.sel = v; break;
	case 0x038: CHECK(v && v <= 256 && !(v & (v - 1))); dev.q[dev.sel].num = v; break;
	case 0x03c: CHECK(dev.version == 1 && v == 4096); break;
	case 0x040:
		CHECK(dev.version == 1 && v && dev.q[dev.sel].num);
		dev.q[dev.sel].desc = (u64)v * 4096;
		dev.q[dev.sel].avail = dev.q[dev.sel].desc + 16 * dev.q[dev.sel].num;
		dev.q[dev.sel].used = (dev.q[dev.sel].avail + 6 + 2 * dev.q[dev.sel].num + 4095) & ~4095UL;
		dev.q[dev.sel].ready = 1;
		break;
	case 0x044: CHECK(dev.version == 2); dev.q[dev.sel].ready = v; break;
	case 0x050: CHECK(v < 4); dev_run(any(2) ? 0 : 70); break;
	case 0x064: dev.isr &= ~v; break;
	case 0x070:
		if (!v)
			dev_reset();
		else
			dev.status = v;
		break;
	case 0x080: dev.q[dev.sel].desc = v; break;
	case 0x090: dev.q[dev.sel].avail = v; break;
	case 0x0a0: dev.q[dev.sel].used = v; break;
	case 0x084: case 0x094: case 0x0a4: CHECK(!v); break;
	default: fail("a register that nobody should write", __LINE__);
	}
}

u64 mmio_read64(u64 pa) { (void)pa; abort(); }
void mmio_write64(u64 pa, u64 v) { (void)pa; (void)v; abort(); }
truth guarded_read(u64 pa, unsigned size, u64 *value)
{
	CHECK(pa >= BASE && pa + size <= BASE + VIRTIO_STRIDE && size <= 8);
	if (!answers)
		return false;
	*value = pa < BASE + 0x100 ? mmio_read32(pa) : 0x1234;
	return true;
}
truth guarded_write(u64 pa, unsigned size, u64 value)
{
	note_write((u32)(pa - BASE), value);
	CHECK(pa >= BASE + 0x100 && pa + size <= BASE + VIRTIO_STRIDE && size <= 8 && !hostile_ro);
	return true;
}

/* --- drivers ---------------------------------------------------------------------------------------------------- */

static u32 get(u32 reg) { return (u32)virtio_read(BASE + reg, 4); }
static void put(u32 reg, u32 v) { virtio_write(BASE + reg, 4, v); }
static u8 *ram(u64 ipa) { return (u8 *)(ipa - GUEST_IPA + GUEST_PA); }

static void pass_time(u64 ticks)
{
	fake_now += ticks;
	if (due && fake_now >= due)
		virtio_tick();
}

/* Queue 0 at `desc` (its parts follow as the legacy interface wants them), DRIVER_OK. */
static void set_up(u64 desc, u32 num)
{
	u64 avail = desc + 16 * num, used = (avail + 6 + 2 * num + 4095) & ~4095UL;

	put(0x070, 0);
	CHECK(get(0x070) == 0 && get(0x060) == 0);
	put(0x070, 3);
	put(0x014, 0);
	put(0x024, 0);
	put(0x020, get(0x010));
	if (dev.version == 2) {
		put(0x014, 1);
		put(0x024, 1);
		CHECK(get(0x010) == 1);
		put(0x020, 1);
		put(0x070, 11);
		CHECK(get(0x070) == 11);
	}
	memset(ram(desc), 0, used + 6 + 8 * num - desc);
	put(0x030, 0);
	CHECK(get(0x034) == 256);
	put(0x038, num);
	if (dev.version == 1) {
		put(0x028, 4096);
		put(0x03c, 4096);
		put(0x040, (u32)(desc / 4096));
		CHECK(get(0x040) == desc / 4096);
	} else {
		put(0x080, (u32)desc);
		put(0x084, 0);
		put(0x090, (u32)avail);
		put(0x094, 0);
		put(0x0a0, (u32)used);
		put(0x0a4, 0);
		put(0x044, 1);
		CHECK(get(0x044) == 1);
	}
	put(0x070, 15);
	CHECK(get(0x070) == 15);
}

/* A driver that keeps the rules gets every request back once, for all shapes of chains and orders of the device. */
static void honest(void)
{
	u64 desc = GUEST_IPA + 0x100000;
	u32 num = 1u << (2 + any(7)), rounds = 40;
	struct desc *table = (struct desc *)ram(desc);
	u16 *avail = (u16 *)ram(desc + 16 * num);
	u64 used_at = (desc + 16 * num + 6 + 2 * num + 4095) & ~4095UL;
	u16 *used = (u16 *)ram(used_at), seen = 0;
	u32 *elements = (u32 *)(used + 2);
	bool busy[256] = { false };
	u16 owner[256], given = 0, back = 0;
	u8 *status[256];
	u32 type[256] = { 0 };

	set_up(desc, num);
	while (rounds-- || given != back) {
		for (u32 tries = any(8) + 1; rounds && tries; tries--) {
			u16 slots[8], n = 0, want = (u16)(hostile_ro ? 3 : 1 + any(7));

			for (u16 s = 0, from = (u16)any(num); s < num && n < want; s++)
				if (!busy[(from + s) % num])
					slots[n++] = (u16)((from + s) % num);
			if (n < want)
				break;
			for (u16 k = 0; k < n; k++) {
				struct desc *d = &table[slots[k]];
				u64 ipa = GUEST_IPA + 0x1000000 + (u64)slots[k] * 4096 + any(64) * 16;

				busy[slots[k]] = true;
				owner[slots[k]] = slots[0];
				d->addr = ipa;
				d->len = k == 0 ? 16 : 1 + any(1000);
				d->flags = (u16)((k + 1 < n) | (k > 0 ? 2 : 0));
				d->next = k + 1 < n ? slots[k + 1] : (u16)any(65536);
				if (k == 0) {
					type[slots[0]] = any(4) ? 0 : 1;
					*(u32 *)ram(ipa) = type[slots[0]];
				}
				status[slots[0]] = ram(ipa) + d->len - 1;
				*status[slots[0]] = n > 1 && k ? 0x77 : *status[slots[0]];
			}
			avail[2 + avail[1] % num] = slots[0];
			avail[1]++;
			given++;
		}
		put(0x050, 0);
		pass_time(any(HZ / 100));
		if (any(2))
			dev_run(rounds ? 50 : 100);
		if (dev.isr)
			CHECK(virtio_interrupt(IRQ));
		CHECK(line == !!get(0x060) && !(get(0x070) & 0x40));
		if (any(2))
			put(0x064, get(0x060));
		for (; seen != used[1]; seen++) {
			u32 id = elements[2 * (seen % num)];

			CHECK(id < num && busy[id] && owner[id] == id);
			if (hostile_ro)
				CHECK(*status[id] == (type[id] ? 1 : 0));
			for (u32 s = 0; s < num; s++)
				if (busy[s] && owner[s] == id)
					busy[s] = false;
			back++;
		}
		CHECK((u16)(given - back) <= num);
		if (!rounds)
			rounds = 1;
		if (rounds == 1 && given == back)
			break;
	}
}

/* Rules broken one at a time; the device works again after a reset. */
static void rules(void)
{
	static const struct {
		const char *why;
		u32 num;
		struct desc d[3];
		u16 head, index;
	} t[] = {
		{ "descriptor-address", 16, { { 0x3ffffff0, 16, 0, 0 } }, 0, 1 },
		{ "descriptor-address", 16, { { GUEST_IPA + GUEST_SIZE - 8, 9, 0, 0 } }, 0, 1 },
		{ "descriptor-address", 16, { { ~0UL - 7, 16, 0, 0 } }, 0, 1 },
		{ "descriptor-address", 16, { { HV_BASE - 0x80000, 0, 0, 0 } }, 0, 1 },
		{ "descriptor-address", 16, { { 0, 0xffffffff, 2, 0 } }, 0, 1 },
		{ "descriptor-address", 16, { { V_GUARDED + 4080, 16, 2, 0 } }, 0, 1 },
		{ "descriptor-address", 16, { { V_GUARDED - 8, 9, 2, 0 } }, 0, 1 },
		{ "descriptor-index", 16, { { GUEST_IPA, 16, 0, 0 } }, 16, 1 },
		{ "descriptor-index", 16, { { GUEST_IPA, 16, 1, 16 } }, 0, 1 },
		{ "descriptor-flags", 16, { { GUEST_IPA, 16, 4, 0 } }, 0, 1 },
		{ "descriptor-flags", 16, { { GUEST_IPA, 16, 0x8000, 0 } }, 0, 1 },
		{ "descriptor-order", 16, { { GUEST_IPA, 16, 3, 1 }, { GUEST_IPA, 16, 0, 0 } }, 0, 1 },
		{ "chain-length", 16, { { GUEST_IPA, 16, 1, 0 } }, 0, 1 },
		{ "chain-length", 16, { { GUEST_IPA, 16, 1, 1 }, { GUEST_IPA, 16, 1, 2 }, { GUEST_IPA, 16, 1, 0 } }, 0, 1 },
		{ "avail-index", 16, { { GUEST_IPA, 16, 0, 0 } }, 0, 17 },
		{ "avail-index", 16, { { GUEST_IPA, 16, 0, 0 } }, 0, 0xffff },
	};
	static const u32 bad_num[] = { 0, 3, 255, 257, 512, 0x10000, 0x10001, 0xffffffff };
	u64 desc = GUEST_IPA + 0x200000;
	struct virtio_status s;

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		set_up(desc, t[i].num);
		for (unsigned k = 0; k < 3; k++)
			((struct desc *)ram(desc))[k] = t[i].d[k];
		((u16 *)ram(desc + 16 * t[i].num))[2] = t[i].head;
		((u16 *)ram(desc + 16 * t[i].num))[1] = t[i].index;
		put(0x050, 0);
		CHECK(virtio_describe(TRANSPORT, &s) && s.why && !strcmp(s.why, t[i].why));
		CHECK(get(0x070) == (15 | 0x40) && line && get(0x060) & 2);
		CHECK(dev.status == 0 && !dev.q[0].ready);
		put(0x070, 15); /* only a reset helps */
		put(0x050, 0);
		put(dev.version == 1 ? 0x040 : 0x044, 1);
		CHECK(get(0x070) == (15 | 0x40) && dev.status == 0 && !dev.q[0].ready);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad_num); i++) {
		set_up(desc, 16);
		put(0x070, 0);
		put(0x070, 3);
		put(0x030, 0);
		put(0x038, bad_num[i]);
		put(0x080, (u32)desc);
		put(0x090, (u32)desc + 0x4000);
		put(0x0a0, (u32)desc + 0x6000);
		put(dev.version == 1 ? 0x040 : 0x044, dev.version == 1 ? (u32)(desc / 4096) : 1);
		CHECK(get(0x070) & 0x40 && !dev.q[0].ready);
	}
	/* The same descriptor over and over, while the device has it: never more than the queue holds. */
	set_up(desc, 16);
	lazy = true;
	*(struct desc *)ram(desc) = (struct desc){ GUEST_IPA, 16, 0, 0 };
	for (unsigned i = 0; i < 17; i++) {
		CHECK(!(get(0x070) & 0x40));
		((u16 *)ram(desc + 256))[1]++;
		put(0x050, 0);
	}
	CHECK(get(0x070) & 0x40 && virtio_describe(TRANSPORT, &s) && !strcmp(s.why, "chain-length"));
	/* A device that gives back a chain that it does not have, or the same one twice. */
	for (unsigned i = 0; i < 3; i++) {
		set_up(desc, 16);
		*(struct desc *)ram(desc) = (struct desc){ GUEST_IPA, 16, 0, 0 };
		((u16 *)ram(desc + 256))[1]++;
		put(0x050, 0);
		((u32 *)dev.q[0].used)[1] = i == 0 ? 16 : i == 1 ? 3 : 0;
		((u16 *)dev.q[0].used)[1] = i == 2 ? 2 : 1; /* the second element says 0 as well */
		virtio_interrupt(IRQ);
		CHECK(get(0x070) & 0x40 && virtio_describe(TRANSPORT, &s) && !strcmp(s.why, "device"));
	}
	lazy = false;
	/* Features without an offer: refused as the standard says, and the device is not told. */
	set_up(desc, 16);
	put(0x070, 0);
	put(0x024, 0);
	put(0x020, 0x30000000);
	put(0x070, 11);
	CHECK(get(0x070) == (dev.version == 2 || get(0x070) == 3 ? 3 : 11) && dev.taken[0] == 0);
	set_up(desc, 16);
	CHECK(!(get(0x070) & 0x40));
}

/* A driver in a hurry: chains beyond the rate wait in its ring, and no act of the driver's makes more of them. */
static void rated(void)
{
	u64 desc = GUEST_IPA + 0x200000, before;
	u16 *avail = (u16 *)ram(desc + 16 * NUM);
	struct virtio_status s;

	put(0x070, 0);
	pass_time(5 * HZ);
	set_up(desc, NUM);
	for (u16 i = 0; i < NUM; i++) {
		((struct desc *)ram(desc))[i] = (struct desc){ GUEST_IPA, 16, 0, 0 };
		avail[2 + i] = i;
	}
	avail[1] = NUM;
	before = taken[0];
	for (unsigned i = 0; i < 3 * rate; i++) {
		put(0x050, 0);
		dev_run(100);
		CHECK(taken[0] - before == rate && due > fake_now && due <= fake_now + HZ / rate + 1);
		virtio_tick();
	}
	CHECK(get(0x070) == 15 && virtio_describe(TRANSPORT, &s) && s.waits && !s.why);
	for (unsigned i = 1; i <= 2 * rate; i++) {
		pass_time(due - fake_now);
		dev_run(100);
		CHECK(taken[0] - before == rate + i && virtio_interrupt(IRQ));
		CHECK(((u16 *)ram((desc + 16 * NUM + 6 + 2 * NUM + 4095) & ~4095UL))[1] == rate + i);
	}
	/* A reset forgets the chains, but not the rate; a queue that is gone holds no chain back. */
	put(0x070, 0);
	pass_time(due - fake_now);
	CHECK(!due);
	before = taken[0];
	for (unsigned i = 0; i < rate; i++) {
		set_up(desc, NUM);
		*(struct desc *)ram(desc) = (struct desc){ GUEST_IPA, 16, 0, 0 };
		avail[1] = 1;
		put(0x050, 0);
		dev_run(100);
	}
	CHECK(taken[0] - before <= 1);
}

/* Bits that the policy withholds: the driver does not see them, and taking them fails. */
static void withheld(void)
{
	u32 bits = (u32)rows[1].mask;

	set_up(GUEST_IPA + 0x200000, NUM);
	put(0x014, 0);
	CHECK(bits && get(0x010) == (0x08006e56 & ~bits) && dev.taken[0] == (0x08006e56 & ~bits));
	put(0x070, 0);
	put(0x070, 3);
	put(0x024, 0);
	put(0x020, 0x6e56);
	put(0x070, 11);
	CHECK(get(0x070) == 3 && !(dev.taken[0] & bits));
}

static u64 some_address(u64 desc)
{
	static const u64 edges[] = { 0, HV_BASE, BOOT_PA, GUEST_PA, GUEST_IPA, GUEST_IPA + GUEST_SIZE, GUEST_IPA + GUEST_SIZE - 1,
				     V_GUARDED, V_GUARDED + 4096, ~0UL, ~0UL - 15, 1UL << 32, UART_PA };

	switch (any(6)) {
	case 0: return edges[any(ARRAY_SIZE(edges))] + any(32) - 16;
	case 1: return desc + any(0x3000); /* its own rings */
	case 2: return (u64)any(0x7fffffff) << any(33);
	default: return GUEST_IPA + any(GUEST_SIZE);
	}
}

static void scribble(u64 desc, u32 num)
{
	struct desc *d = (struct desc *)ram(desc) + any(num);
	u16 *avail = (u16 *)ram(desc + 16 * num);

	switch (any(5)) {
	case 0:
		avail[1] = (u16)(avail[1] + any(4));
		break;
	case 1:
		avail[any(num + 3)] = (u16)(any(8) ? any(num) : any(65536));
		break;
	case 2:
		ram(desc)[any(0x3000)] = (u8)any(256);
		break;
	default:
		*d = (struct desc){ any(4) ? GUEST_IPA + any(0x1000000) : some_address(desc), any(8) ? any(70) : any(~0u >> 1),
				    (u16)(any(20) ? any(4) : any(65536)), (u16)(any(10) ? any(num) : any(65536)) };
	}
}

static const u32 registers[] = { 0x010, 0x014, 0x020, 0x024, 0x028, 0x030, 0x034, 0x038, 0x03c, 0x040, 0x044, 0x050, 0x060, 0x064,
				 0x070, 0x080, 0x084, 0x090, 0x094, 0x0a0, 0x0a4, 0x0b0, 0x0fc, 0x100, 0x120, 0x1fc };

static void attack(u64 desc)
{
	u32 reg = registers[any(ARRAY_SIZE(registers))];

	switch (any(12)) {
	case 0:
		virtio_write(BASE + (any(4) ? reg : any(0x200)), 1u << any(4), any(3) ? any(8) : some_address(desc));
		break;
	case 1:
		virtio_read(BASE + (any(4) ? reg : any(0x200)), 1u << any(4));
		break;
	case 2:
		put(0x050, any(4) ? 0 : any(5));
		break;
	case 3:
		pass_time(any(HZ / 1000));
		dev_run(50);
		break;
	case 4:
		virtio_interrupt(IRQ);
		break;
	case 5:
		if (get(0x070) & 0x40)
			set_up(desc, NUM);
		break;
	default:
		scribble(desc, NUM);
	}
	if (get(0x070) & 0x40)
		CHECK(!dev.status && !dev.q[0].ready && !dev.q[1].ready);
}

static void hostile(void)
{
	u64 desc = GUEST_IPA + 0x100000;

	for (unsigned life = 0; life < 6; life++) {
		set_up(desc, NUM);
		for (unsigned step = 0; step < 400; step++)
			attack(desc);
	}
	honest();
}

/* --- each step told twice (virtio_model.h) ----------------------------------------------------------------------- */

static unsigned events_before;

static void begin(void)
{
	v.n_writes = v.n_chains = v.n_failed = v.n_given = n_trace = 0;
	lazy = tracing = true;
}

/* The chain that the device must be shown next on its queue. */
static void check_chain(const struct v_chain *c)
{
	struct v_queue *q = &v.q[c->queue];
	const struct desc *table = (const struct desc *)dev.q[c->queue].desc;
	u16 at = ((const u16 *)dev.q[c->queue].avail)[2 + q->shown++ % q->num], first = at;

	CHECK(at < q->num && !q->slot[at].busy);
	q->slot[at].busy = true;
	q->slot[at].head = c->head;
	q->slot[at].n = c->n;
	for (unsigned k = 0; k < c->n; k++, at = table[at].next) {
		CHECK(at < q->num && !q->owner[at]);
		q->owner[at] = (u16)(first + 1);
		CHECK(table[at].len == c->d[k].len && table[at].flags == c->d[k].flags);
		if (k || !c->header)
			CHECK(table[at].addr == c->d[k].addr);
		else
			CHECK(ours(table[at].addr, 16) && !memcmp((u8 *)table[at].addr, c->bytes, 16));
	}
}

static void finish(void)
{
	struct virtio_status s;

	lazy = tracing = false;
	CHECK(n_trace == v.n_writes);
	for (unsigned k = 0; k < n_trace; k++) {
		CHECK(trace[k].reg == v.writes[k].reg);
		CHECK(trace[k].value == v.writes[k].value || v.writes[k].value == V_ANY);
	}
	for (unsigned k = 0; k < v.n_chains && !v.broken; k++) /* otherwise the device has forgotten them */
		check_chain(&v.chain[k]);
	for (unsigned i = 0; i < 4; i++) {
		CHECK(v.q[i].live == dev.q[i].ready);
		if (v.q[i].live)
			CHECK(((const u16 *)dev.q[i].avail)[1] == v.q[i].shown && dev.q[i].num == v.q[i].num);
	}
	for (unsigned k = 0; k < v.n_failed; k++)
		CHECK(*(const u8 *)v.failed[k] == 1);
	for (unsigned k = 0; k < v.n_given; k++) {
		CHECK(v_32(v.given[k].at) == v.given[k].id && v_32(v.given[k].at + 4) == v.given[k].len);
		CHECK(v_16(v.q[v.given[k].queue].used + 2) == v.q[v.given[k].queue].given);
	}
	CHECK(line == !!v.isr && due == v.due && events - events_before == v.told);
	CHECK(virtio_describe(TRANSPORT, &s) && s.type == 2 && s.status == (v.status | (v.broken ? 0x40u : 0)));
	CHECK(s.requests == v.requests && s.refused == v.refusals && s.waits == v.waits && s.breaks == v.breaks);
	CHECK(!s.why == !v.why && (!s.why || !strcmp(s.why, v.why)));
}

static void both_write(u64 ipa, unsigned size, u64 value)
{
	begin();
	v_write(ipa, size, value, fake_now);
	virtio_write(ipa, size, value);
	finish();
}
static void both_put(u32 reg, u32 value) { both_write(BASE + reg, 4, value); }

static void both_read(u64 ipa, unsigned size)
{
	begin();
	CHECK(virtio_read(ipa, size) == v_read(ipa, size, dev.status, 0x1d, 0x1234));
	finish();
}

static u64 ring_of(unsigned i) { return GUEST_IPA + 0x100000 + i * 0x10000; }

/* Queue i, mostly valid; the legacy interface places all of it by its page. */
static void told_queue(unsigned i)
{
	u32 num = any(30) ? 1u << (any(6) ? 4 + any(5) : any(9)) : any(2) ? any(400) : 256, align = any(20) ? 4096 : any(2) ? 1u << any(18) : any(9000);
	u32 page = any(20) ? 4096 : any(2) ? 1u << any(18) : any(9000);
	u64 desc = ring_of(i) + (any(40) ? 0 : any(2) ? any(16) : GUEST_SIZE - 0x110000 - any(0x400));
	u64 avail = desc + 16 * 256 + (any(40) ? 0 : any(4)), used = desc + 0x2000 + (any(40) ? 0 : any(2) ? any(8) : 0x38000000);

	memset(ram(ring_of(i)), 0, 0x10000);
	both_put(0x030, i);
	both_put(0x038, num);
	if (dev.version == 1) {
		both_put(0x028, page);
		both_put(0x03c, align);
		both_put(0x040, (u32)(ring_of(i) / (page ? page : 1)));
	} else {
		if (any(60)) /* else unchanged: 0 after a reset */
			both_put(0x080, (u32)desc);
		both_put(0x084, any(60) ? 0 : 1);
		if (any(60)) /* else unchanged: 0 after a reset */
			both_put(0x090, (u32)avail);
		both_put(0x094, any(60) ? 0 : 1);
		if (any(60)) /* else unchanged: 0 after a reset */
			both_put(0x0a0, (u32)used);
		both_put(0x0a4, any(60) ? 0 : 1);
		both_put(0x044, any(30) ? 1 : any(4));
	}
}

static void told_set_up(void)
{
	both_put(0x070, 0);
	both_put(0x070, 3);
	for (unsigned sel = 0; sel < (dev.version == 1 ? 1 : 2); sel++) {
		both_put(0x014, sel);
		both_put(0x024, any(30) ? sel : any(4));
		both_read(BASE + 0x010, 4);
		both_put(0x020, any(20) ? v.offered[sel] & any(~0u) : any(~0u));
	}
	both_put(0x070, 11);
	for (unsigned n = 1 + any(3); n--;)
		told_queue(any(20) ? n : any(5));
	both_put(0x070, 15);
}

/* Chains of some of the queue's descriptors, which may be in flight. */
static void told_chain(unsigned i)
{
	struct v_queue *q = &v.q[i];
	struct desc *table = (struct desc *)ram(q->desc);
	u16 index = v_16(q->avail + 2), n = (u16)(1 + any(q->num < 4 ? q->num : 4)), first = (u16)any(q->num);
	u32 type = any(3) ? 0 : any(2) ? any(12) : 1u << any(32);

	for (u16 k = 0; k < n; k++) {
		u16 at = (u16)((first + k) % q->num);
		bool writable = k > 0 && (k + 1 == n || any(2));
		u64 at_ipa = GUEST_IPA + 0x1000000 + i * 0x200000 + at * 0x1000 + (writable ? 0x800 : 0);

		if (k > 1 && table[(first + k - 1) % q->num].flags & 2)
			writable = true;
		if (!any(300))
			at_ipa = some_address(q->desc) | 1UL << 40;
		table[at].addr = at_ipa;
		table[at].len = k == 0 ? 16 : 1 + any(any(4) ? 600 : 2);
		table[at].flags = (u16)((k + 1 < n) | (writable ? 2 : 0));
		table[at].next = (u16)((at + 1) % q->num);
		switch (any(400)) {
		case 0: table[at].flags ^= (u16)(1u << any(16)); break;
		case 1: table[at].next = (u16)any(q->num + 3); break;
		case 2: table[at].len = any(3); break;
		case 3: table[at].addr = any(2) ? GUEST_IPA + GUEST_SIZE - table[at].len + any(2) : GUEST_IPA - any(2); break;
		}
		if (k == 0 && v_ram(at_ipa, 16))
			memcpy(ram(at_ipa), &type, 4);
		else if (k && v_ram(at_ipa, 1000))
			memset(ram(at_ipa), 0x77, 1000);
	}
	((u16 *)ram(q->avail))[2 + index % q->num] = (u16)(any(200) ? first : any(q->num + 2u));
	((u16 *)ram(q->avail))[1] = (u16)(any(300) ? index + 1u : any(65536));
	((u16 *)ram(q->avail))[0] = !any(4);
}

/* Used elements that the device must not write. */
static void nonsense(unsigned i)
{
	u16 *used = (u16 *)dev.q[i].used;

	((u32 *)(used + 2))[2 * (used[1] % dev.q[i].num)] = any(2) ? any(dev.q[i].num) : any(2) ? dev.q[i].num : any(~0u);
	used[1] = (u16)(used[1] + (any(4) ? 1 : any(dev.q[i].num + 3)));
}

static void told_step(void)
{
	static const u32 config[] = { 0x100, 0x120, 0x1fc, 0x1fe, 0x0fc, 0x0b0, 0x0b4, 0x0b8, 0x0bc, 0x00c };
	const u16 *used[4];
	unsigned i = any(3);
	u64 ipa = BASE + (any(4) ? registers[any(ARRAY_SIZE(registers))] : any(2) ? config[any(ARRAY_SIZE(config))] : any(0x200));

	switch (any(16)) {
	case 0: case 1: case 2: case 3: case 4:
		/* Values that fit, as from a driver; or random ones. */
		for (unsigned n = 1 + any(3); n-- && v.q[i].live && (v.q[i].free >= 12 || !any(100));)
			if (v_16(v.q[i].avail + 2) == v.q[i].seen || any(4))
				told_chain(i);
		break;
	case 5: case 6:
		both_put(0x050, any(30) ? i : any(6));
		break;
	case 7: case 8:
		dev_run(any(2) ? 60 : 20);
		break;
	case 9: case 10:
		if (!any(60) && dev.q[i].ready)
			nonsense(i);
		if (!any(10))
			dev.isr |= 2;
		for (unsigned k = 0; k < 4; k++)
			used[k] = (const u16 *)dev.q[k].used;
		begin();
		CHECK(!virtio_interrupt(IRQ - 1) && !virtio_interrupt(VIRTIO_IRQ + 32));
		v_collect(dev.isr, used);
		CHECK(virtio_interrupt(IRQ));
		finish();
		break;
	case 11:
		both_put(0x064, any(4) ? v.isr : any(4));
		break;
	case 12:
		begin();
		fake_now += any(2) ? any(HZ / 1000) : any(HZ / 2);
		if (due && fake_now >= due) {
			v_tick(fake_now);
			virtio_tick();
		} else if (!any(8)) { /* another CPU's alarm rings early, which must lose nothing */
			v_tick(fake_now);
			virtio_tick();
		}
		finish();
		break;
	case 13:
		if (v.broken ? any(4) : !any(60))
			told_set_up();
		break;
	case 14:
		if (!any(6))
			both_write(any(10) ? ipa : VIRTIO_PA + any(0x4000), any(6) ? 4 : 1u << any(4), any(4) ? any(5) : any(~0u));
		break;
	default:
		both_read(any(10) ? ipa : VIRTIO_PA + any(0x4200), any(3) ? 4 : 1u << any(4));
	}
}

/* Devices of the board against the policy: one that is served appears, with its offered features; others do not. */
static bool board(u32 type, unsigned model)
{
	/* By type: the offered bits of the lower feature word, without ANY_LAYOUT. */
	static const u32 offers[] = { 0, 0x1fffff, 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 13 |
				      1 << 14, 1, 0 };
	bool ro = model == MODEL_VIRTIO_BLK_RO;
	bool served = type == 1   ? model == MODEL_VIRTIO_MMIO || model == MODEL_VIRTIO_NET :
		      type == 2	  ? model == MODEL_VIRTIO_MMIO || model == MODEL_VIRTIO_BLK || ro :
		      type == 3 || type == 4 ? model == MODEL_VIRTIO_MMIO : false;

	served = served && answers && dev.magic == 0x74726976 && (dev.version == 1 || dev.version == 2) &&
		 rows[1].action == ACT_EMULATE;
	memset(virtio_devices, 0, 32 * sizeof(virtio_devices[0]));
	carved = BOOT_PA;
	memset((void *)BOOT_PA, 0, BOOT_SIZE);
	dev_reset();
	dev.status = 15;
	dev.type = type;
	rows[1].arg = (u32)model;
	enabled = routed = line = false;
	rtc_lock.behind = &dist_lock; /* as before any device had a lock */
	virtio_init();
	CHECK(enabled == served && routed == served);
	if (!served) {
		CHECK(get(0x000) == 0x74726976 && get(0x004) == 1 && !get(0x008) && !get(0x010) && !virtio_interrupt(IRQ));
		put(0x070, 0);
		CHECK(dev.status == 15);
		return false;
	}
	CHECK(dev.status == 0 && get(0x008) == type && get(0x00c) == 0x554d4551);
	CHECK(get(0x010) == (((dev.features[0] & (offers[type] | 1 << 27)) & ~(u32)rows[1].mask) | (ro ? 1 << 5 : 0)));
	route_to = any(8);
	routed = false;
	virtio_route(route_to);
	CHECK(routed);
	route_to = 0;
	return true;
}

/* Each act of driver, device and clock goes to the model first. */
static void told(void)
{
	static const unsigned models[] = { MODEL_VIRTIO_MMIO, MODEL_VIRTIO_NET, MODEL_VIRTIO_BLK, MODEL_VIRTIO_BLK_RO, MODEL_PL011 };
	struct virtio_status s;

	transport = any(2) ? 31 : any(32);
	dev.version = any(10) ? 1 + any(2) : any(5);
	dev.magic = any(10) ? 0x74726976 : any(~0u);
	answers = any(10);
	rows[1].action = any(10) ? ACT_EMULATE : ACT_ALLOW;
	dev.features[0] = any(~0u);
	dev.features[1] = any(~0u);
	dev.max = any(4) ? 1024 : any(2) ? 256 : 64;
	rate = any(2) ? 0 : any(2) ? 10 : 500;
	rows[1].mask = rate << 32 | (any(2) ? 0 : any(~0u));
	board(any(8), models[any(ARRAY_SIZE(models))]);
	dev.version = 1 + any(2);
	dev.magic = 0x74726976;
	answers = true;
	rows[1].action = ACT_EMULATE;
	hostile_ro = any(2);
	CHECK(board(2, hostile_ro ? MODEL_VIRTIO_BLK_RO : models[any(2) * 2]));
	memset(ram(GUEST_IPA + 0x100000), 0, 0x50000);
	memset(taken, 0, sizeof(taken));
	fake_now += 5 * HZ;
	memset(&v, 0, sizeof(v));
	v.base = BASE;
	v.version = dev.version;
	v.vendor = 0x554d4551;
	v.read_only = hostile_ro;
	v.price = rate ? HZ / rate : 0;
	v.page = v.align = 4096;
	v.max = dev.max < 256 ? dev.max : 256;
	v.offered[0] = get(0x010);
	v.offered[1] = dev.version == 2 ? dev.features[1] & 1 : 0; /* VERSION_1 */
	memcpy(v.real, dev.features, sizeof(v.real));
	CHECK(virtio_describe(TRANSPORT, &s) && !virtio_describe(TRANSPORT ^ 1, &s) && !virtio_describe(32, &s));
	events_before = events;
	told_set_up();
	for (unsigned n = 0; n < 500; n++)
		told_step();
	put(0x070, 0);
	while (due) {
		fake_now += HZ;
		virtio_tick();
	}
}

/* Another CPU of the guest changes descriptors while EL2 reads them. */
static volatile int racing; /* no bool: with -fsanitize=bool this GCC reads it only once */
static void *racer(void *arg)
{
	volatile struct desc *d = arg;

	while (racing) {
		/* Valid most of the time, so that a second read, if there is one, mostly finds it wrong. */
		for (volatile int i = 0; i < 30; i++)
			;
		d[0].addr = HV_BASE;
		d[0].addr = GUEST_IPA + 0x5000;
		for (volatile int i = 0; i < 30; i++)
			;
		d[1].flags = 3;
		d[1].flags = 2;
		for (volatile int i = 0; i < 30; i++)
			;
		d[1].len = 0xfffffff0;
		d[1].len = 16;
	}
	return NULL;
}

static void race(void)
{
	u64 desc = GUEST_IPA + 0x100000;
	struct desc *d = (struct desc *)ram(desc);
	pthread_t thread;

	/*
	 * On a busy machine the racer may be asleep, or asleep in the wrong place: goes on until both outcomes have
	 * been seen.
	 */
	for (unsigned life = 0; life < 200 || ((!events || served <= 100) && life < 20000); life++) {
		set_up(desc, NUM);
		d[0] = (struct desc){ GUEST_IPA + 0x5000, 16, 1, 1 };
		d[1] = (struct desc){ GUEST_IPA + 0x6000, 16, 2, 0 };
		racing = 1;
		CHECK(!pthread_create(&thread, NULL, racer, d));
		for (unsigned i = 0; i < 5000 && !(get(0x070) & 0x40); i++) {
			((u16 *)ram(desc + 16 * NUM))[1]++;
			put(0x050, 0);
			dev_run(100);
			virtio_interrupt(IRQ);
		}
		racing = 0;
		pthread_join(thread, NULL);
	}
}

static void map_memory(void)
{
	if (mmap((void *)BOOT_PA, BOOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		    MAP_FAILED ||
	    mmap((void *)GUEST_PA, GUEST_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
}

/* A disk, as the policy's row gives it. */
static void plug(u32 version, bool read_only, u64 mask)
{
	memset(&dev, 0, sizeof(dev));
	dev.version = version;
	dev.magic = 0x74726976;
	dev.type = 2;
	dev.max = 1024;
	dev.features[0] = 0x79006e56;
	dev.features[1] = 0x3f;
	hostile_ro = read_only;
	rows[1].arg = hostile_ro ? MODEL_VIRTIO_BLK_RO : MODEL_VIRTIO_BLK;
	rows[1].mask = mask;
	rate = mask >> 32;
	rtc_lock.behind = &dist_lock; /* as before any device had a lock */
	virtio_init();
	CHECK(enabled && get(0x008) == 2);
}

#ifdef FUZZED
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool there;
	u64 desc = GUEST_IPA + 0x100000;

	if (!there)
		map_memory();
	there = true;
	input = data;
	input_left = size;
	carved = BOOT_PA;
	memset((void *)BOOT_PA, 0, 0x20000); /* boot_alloc(), for one device's memory */
	memset(taken, 0, sizeof(taken));
	fake_now = 0;
	plug(1 + any(2), any(2), (u64)any(2) * 500 << 32);
	set_up(desc, NUM);
	while (input_left)
		attack(desc);
	set_up(desc, NUM);
	put(0x070, 0);
	virtio_tick(); /* no alarm is left for the next one */
	return 0;
}
#else
int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } scenarios[] = {
		{ "honest", honest }, { "rules", rules }, { "hostile", hostile }, { "race", race },
		{ "rated", rated }, { "withheld", withheld }, { "told", told },
	};

	if (argc != 7)
		return 2;
	map_memory();
	plug((u32)atoi(argv[2]), atoi(argv[3]), strtoul(argv[6], NULL, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(scenarios); i++) {
		if (strcmp(scenarios[i].name, argv[1]))
			continue;
		for (seed = (unsigned)atoi(argv[4]); seed < (unsigned)(atoi(argv[4]) + atoi(argv[5])); seed++) {
			random_state = seed * 2654435761u + 1;
			scenarios[i].run();
		}
		printf("served=%lu events=%u\n", (unsigned long)served, events);
		return 0;
	}
	return 2;
}
#endif
