/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second telling of the mediated virtio disk (virtio 1.1): the driver's reads, writes to the real device, the chains
 * that it is shown, and the rule that a driver broke. It reads guest memory before hv/ does, and none of EL2's state.
 */
#include <string.h>

#define V_ANY    0x1ffffffffUL /* stands for an address of EL2's in a write to the device */
#define V_SECOND 62500000UL
#define V_WRITES 4096

struct v_queue {
	u32 num, pfn;
	u64 desc, avail, used, paid;
	bool live, spent, waits;
	u16 seen, given, finished; /* taken of the driver's chains, given back, taken of the device's elements */
	unsigned free;
	u16 shown;
	struct { bool busy; u16 head; unsigned n; } slot[256]; /* by the device's first descriptor */
	u16 owner[256]; /* the device's descriptors: 1 + the first one of their chain, or 0 */
};
struct v_chain { /* the chain that the device is to be shown next */
	unsigned queue, n;
	u16 head;
	bool header; /* its first descriptor is EL2's copy of these bytes */
	u8 bytes[16];
	struct { u64 addr; u32 len; u16 flags; } d[256];
};
static struct {
	u64 base;
	u32 version, vendor, max, offered[2], real[2];
	bool read_only;
	u64 price;
	bool broken, refused;
	u32 status, isr, fsel, dsel, sel, page, align;
	struct v_queue q[4];
	const char *why;
	u64 due;
	unsigned breaks, told;         /* ... of which so many have an event */
	u64 requests, refusals, waits;
	struct { u32 reg; u64 value; } writes[V_WRITES];
	unsigned n_writes, n_chains, n_failed;
	struct v_chain chain[V_WRITES / 4];
	u64 failed[V_WRITES / 4];      /* bytes of the driver's that read IOERR now */
	struct { unsigned queue; u64 at; u32 id, len; } given[V_WRITES / 4]; /* used elements */
	unsigned n_given;
} v;

static void v_to_device(u32 reg, u64 value)
{
	if (v.n_writes < V_WRITES) {
		v.writes[v.n_writes].reg = reg;
		v.writes[v.n_writes++].value = value;
	}
}
static u8 *v_ram(u64 ipa, u64 size) /* NULL: part of it is outside the guest's RAM */
{
	return ipa >= 0x40000000 && ipa <= 0x70000000 && size <= 0x70000000 - ipa ? (u8 *)(ipa + 0x2000000) : NULL;
}
#define V_GUARDED 0x50000000UL /* a page that only reads are for */
static bool v_written(u64 ipa, u64 size) /* whether the device may write there */
{
	return v_ram(ipa, size) && (ipa + size <= V_GUARDED || ipa >= V_GUARDED + 4096);
}
static bool v_ram_too(u64 ipa, u64 size) { return v_ram(ipa, size); }
static u16 v_16(u64 ipa) { u16 n; memcpy(&n, v_ram(ipa, 2), 2); return n; }
static u32 v_32(u64 ipa) { u32 n; memcpy(&n, v_ram(ipa, 4), 4); return n; }
static u64 v_64(u64 ipa) { u64 n; memcpy(&n, v_ram(ipa, 8), 8); return n; }

static void v_reset(void)
{
	v_to_device(0x070, 0);
	for (unsigned i = 0; i < 4; i++) {
		struct v_queue *q = &v.q[i];

		q->live = q->spent = false;
		q->num = 0;
		q->desc = q->avail = q->used = 0;
	}
	v.broken = v.refused = false;
	v.status = v.isr = v.fsel = v.dsel = v.sel = 0;
}
static void v_break(const char *why)
{
	v_to_device(0x070, 0);
	for (unsigned i = 0; i < 4; i++)
		v.q[i].live = false;
	v.broken = true;
	v.why = why;
	v.isr |= 2;
	v.breaks++;
	for (unsigned n = 1; n <= v.breaks; n *= 2)
		v.told += n == v.breaks;
}

/* --- queues ------------------------------------------------------------------------------------------------------ */

static void v_start(unsigned i)
{
	static const u32 sizes[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256 };
	struct v_queue *q = &v.q[i];
	bool fits = false;

	for (unsigned k = 0; k < 9; k++)
		fits = fits || (sizes[k] == q->num && q->num <= v.max);
	if (q->spent) {
		v_break("queue-twice");
	} else if (!fits) {
		v_break("queue-size");
	} else if (!v_ram(q->desc, 16 * q->num) || !v_ram(q->avail, 6 + 2 * q->num) || !v_written(q->used, 6 + 8 * q->num) ||
		   q->desc % 16 || q->avail % 2 || q->used % 4) {
		v_break("queue-address");
	} else {
		q->live = q->spent = true;
		q->seen = q->given = q->finished = 0;
		q->free = q->num;
		q->shown = 0;
		memset(q->slot, 0, sizeof(q->slot));
		memset(q->owner, 0, sizeof(q->owner));
		v_to_device(0x030, i);
		v_to_device(0x038, q->num);
		if (v.version == 1) {
			v_to_device(0x028, 4096);
			v_to_device(0x03c, 4096);
			v_to_device(0x040, V_ANY);
			return;
		}
		for (u32 reg = 0x080; reg < 0x0b0; reg += 16) {
			v_to_device(reg, V_ANY);
			v_to_device(reg + 4, 0);
		}
		v_to_device(0x044, 1);
	}
}

static void v_give(unsigned i, u16 head, u32 len)
{
	struct v_queue *q = &v.q[i];

	v.given[v.n_given].queue = i;
	v.given[v.n_given].at = q->used + 4 + 8 * (q->given++ % q->num);
	v.given[v.n_given].id = head;
	v.given[v.n_given++].len = len;
}
static void v_announce(const struct v_queue *q)
{
	if (!(v_16(q->avail) & 1)) /* VIRTQ_AVAIL_F_NO_INTERRUPT */
		v.isr |= 1;
}

/* The next chain of the driver's: the rule that it breaks, or NULL. */
static const char *v_submit(unsigned i, unsigned *looks)
{
	struct v_queue *q = &v.q[i];
	struct v_chain *c = &v.chain[v.n_chains];
	u16 at = v_16(q->avail + 4 + 2 * (q->seen % q->num));
	bool writable = false;
	u32 type;

	c->queue = i;
	c->head = at;
	c->header = false;
	for (c->n = 0;;) {
		u64 d = q->desc + 16 * at;
		u16 flags;

		if (at >= q->num)
			return "descriptor-index";
		if (c->n >= q->free || !*looks)
			return "chain-length";
		--*looks;
		c->d[c->n].addr = v_64(d);
		c->d[c->n].len = v_32(d + 8);
		c->d[c->n].flags = flags = v_16(d + 12);
		if (flags > 3)
			return "descriptor-flags";
		if (!c->d[c->n].len || !(flags & 2 ? v_written : v_ram_too)(c->d[c->n].addr, c->d[c->n].len))
			return "descriptor-address";
		if (writable && !(flags & 2))
			return "descriptor-order";
		writable = flags & 2;
		c->d[c->n++].addr += 0x2000000;
		if (!(flags & 1))
			break;
		at = v_16(d + 14);
	}
	if (v.read_only) {
		if (c->d[0].flags & 2 || c->d[0].len != 16 || !writable)
			return "request-form";
		memcpy(c->bytes, (u8 *)c->d[0].addr, 16);
		memcpy(&type, c->bytes, 4);
		if (type != 0 && type != 4 && type != 8) { /* neither IN, FLUSH nor GET_ID */
			v.failed[v.n_failed++] = c->d[c->n - 1].addr + c->d[c->n - 1].len - 1;
			v.refusals++;
			v_give(i, c->head, 1);
			v_announce(q);
			return NULL;
		}
		c->header = true;
	}
	q->free -= c->n;
	v.n_chains++;
	v.requests++;
	return NULL;
}

static bool v_may_take(struct v_queue *q, u64 now)
{
	u64 when;

	if (!v.price)
		return true;
	if (now > V_SECOND && q->paid < now - V_SECOND)
		q->paid = now - V_SECOND;
	when = q->paid + v.price;
	if (when <= now) {
		q->paid = when;
		return true;
	}
	if (when < now + V_SECOND / 1000)
		when = now + V_SECOND / 1000;
	if (!v.due || when < v.due)
		v.due = when;
	if (!q->waits)
		v.waits++;
	q->waits = true;
	return false;
}

static void v_notify(unsigned i, u64 now)
{
	struct v_queue *q = &v.q[i];
	unsigned looks = q->num;
	u16 n;

	if (!q->live)
		return;
	n = (u16)(v_16(q->avail + 2) - q->seen);
	if (n > q->num) {
		v_break("avail-index");
		return;
	}
	for (; n && v_may_take(q, now); n--) {
		const char *why = v_submit(i, &looks);

		if (why) {
			v_break(why);
			return;
		}
		q->seen++;
	}
	v_to_device(0x050, i);
}

static void v_tick(u64 now)
{
	if (!v.due)
		return;
	v.due = 0;
	for (unsigned i = 0; i < 4; i++)
		if (v.q[i].waits) {
			v.q[i].waits = false;
			v_notify(i, now);
		}
}

/* The device's used rings and ISR, as it has left them. */
static void v_collect(u32 isr, const u16 *const used[4])
{
	if (isr)
		v_to_device(0x064, isr);
	if (v.broken)
		return;
	v.isr |= isr & 2;
	for (unsigned i = 0; i < 4; i++) {
		struct v_queue *q = &v.q[i];
		u16 n = q->live ? (u16)(used[i][1] - q->finished) : 0;
		bool some = n;

		if (n > q->num) {
			v_break("device");
			return;
		}
		for (; n; n--, q->finished++) {
			const u32 *e = (const u32 *)(used[i] + 2) + 2 * (q->finished % q->num);

			if (e[0] >= q->num || !q->slot[e[0]].busy) {
				v_break("device");
				return;
			}
			q->slot[e[0]].busy = false;
			q->free += q->slot[e[0]].n;
			for (unsigned k = 0; k < 256; k++)
				q->owner[k] = q->owner[k] == e[0] + 1 ? 0 : q->owner[k];
			v_give(i, q->slot[e[0]].head, e[1]);
		}
		if (some)
			v_announce(q);
	}
}

/* --- registers --------------------------------------------------------------------------------------------------- */

static u64 v_read(u64 ipa, unsigned size, u32 status, u32 generation, u64 config)
{
	const struct v_queue *q = v.sel < 4 ? &v.q[v.sel] : NULL;
	u32 reg = (u32)(ipa - v.base);

	if (ipa < v.base || ipa >= v.base + 0x200) /* a transport without a device */
		return size != 4 ? 0 : ipa % 0x200 == 0 ? 0x74726976 : ipa % 0x200 == 4;
	if (reg >= 0x100)
		return reg % size == 0 ? config : 0;
	if (size != 4)
		return 0;
	switch (reg) {
	case 0x000: return 0x74726976;
	case 0x004: return v.version;
	case 0x008: return 2;
	case 0x00c: return v.vendor;
	case 0x010: return v.fsel < 2 ? v.offered[v.fsel] : 0;
	case 0x034: return v.sel < 3 ? v.max : 0;
	case 0x040: return v.version == 1 && q && q->live ? q->pfn : 0;
	case 0x044: return v.version == 2 && q && q->live;
	case 0x060: return v.isr;
	case 0x070: return v.broken ? v.status | 0x40 : status;
	case 0x0b0: case 0x0b4: case 0x0b8: case 0x0bc: return 0xffffffff;
	case 0x0fc: return generation;
	}
	return 0;
}

static void v_write_queue(u32 reg, u32 value)
{
	struct v_queue *q = &v.q[v.sel % 4];
	u64 *half[] = { &q->desc, &q->avail, &q->used };

	if (v.sel >= 3) /* the device has three */
		return;
	if (reg == 0x038 && !q->live)
		q->num = value > 256 ? 0 : value;
	if (reg == 0x040 && v.version == 1) {
		u64 page = v.page, align = v.align;

		if (!value) {
			v_reset();
			return;
		}
		if (page < 4096 || page > 65536 || page & (page - 1) || align < 4 || align > 65536 || align & (align - 1)) {
			v_break("queue-align");
			return;
		}
		q->pfn = value;
		q->desc = value * page;
		q->avail = q->desc + 16 * q->num;
		q->used = (q->avail + 6 + 2 * q->num + align - 1) / align * align;
		v_start(v.sel);
	}
	if (reg == 0x044 && v.version == 2) {
		if (value & 1) {
			v_start(v.sel);
		} else if (value || q->live) {
			v_to_device(0x030, v.sel);
			v_to_device(0x044, 0);
			q->live = false;
		}
	}
	if (reg >= 0x080 && reg < 0x0a8 && reg % 16 < 8 && v.version == 2 && !q->live) {
		u64 *to = half[(reg - 0x080) / 16];

		*to = reg & 4 ? (u64)value << 32 | (*to & 0xffffffff) : *to >> 32 << 32 | value;
	}
}

static void v_write(u64 ipa, unsigned size, u64 wide, u64 now)
{
	u32 reg = (u32)(ipa - v.base), value = (u32)wide;

	if (ipa < v.base || ipa >= v.base + 0x200)
		return;
	if (reg >= 0x100) {
		if (!v.broken && !v.read_only && reg % size == 0)
			v_to_device(reg, wide);
		return;
	}
	if (size != 4)
		return;
	if (reg == 0x064)
		v.isr &= ~value;
	if (reg == 0x070) {
		value &= 0xbf;
		if (!value)
			v_reset();
		else if (!v.broken)
			v_to_device(0x070, v.status = v.refused ? value & ~8u : value);
	}
	if (v.broken)
		return;
	switch (reg) {
	case 0x014: v.fsel = value; break;
	case 0x020:
		if (v.dsel > 1)
			break;
		v.refused = v.refused || value & ~v.offered[v.dsel];
		v_to_device(0x024, v.dsel);
		v_to_device(0x020, value & v.offered[v.dsel] & v.real[v.dsel]);
		break;
	case 0x024: v.dsel = value; break;
	case 0x028: v.page = value; break;
	case 0x030: v.sel = value; break;
	case 0x03c: v.align = value; break;
	case 0x050:
		if (value < 4)
			v_notify(value, now);
		break;
	default:
		v_write_queue(reg, value);
	}
}
