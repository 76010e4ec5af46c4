/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of GICD and GICR, word by word (IHI 0069, "GIC memory-mapped register map"), as found and behind ones. */
#include "lib.h"

void main1(u64 context) { (void)context; }

#define GICD_IROUTER(n) (GICD + 0x6000 + 8UL * (n))

/* Each word that is another than the one before it. */
static void dump(const char *name, u64 base, u64 from, u64 to)
{
	u32 before = 0;

	for (u64 at = from; at < to; at += 4) {
		u32 value = r32(base + at);

		if (value != before)
			is_of(name, at, value);
		before = value;
	}
}

static void ones(u64 base, u64 from, u64 to)
{
	for (u64 at = from; at < to; at += 4)
		w32(base + at, ~0u);
}

void main(void)
{
	static const u32 controls[] = { ~0u, 0, 0x12, 0x30, 2, 0x80000012 };

	reset_caught();
	dump("GICD", GICD, 0, 0x10000);
	dump("GICR", GICR(0), 0, 0x20000);
	for (unsigned i = 0; i < sizeof(controls) / sizeof(*controls); i++) {
		w32(GICD, controls[i]);
		is_of("GICD_CTLR, written", controls[i], r32(GICD));
	}
	w32(GICR(0) + 0x14, ~0u);
	is("GICR_WAKER, asleep", r32(GICR(0) + 0x14));
	w32(GICR(0) + 0x14, 0);
	is("GICR_WAKER, awake", r32(GICR(0) + 0x14));
	/* Of the first 256 interrupts: groups, enables, configurations, priorities */
	ones(GICD, 0x80, 0xa0);
	ones(GICD, 0x100, 0x120);
	dump("GICD, ones", GICD, 0x80, 0x120);
	ones(GICD, 0x180, 0x1a0);
	dump("GICD, disabled", GICD, 0x100, 0x1a0);
	ones(GICD, 0xc00, 0xc40);
	ones(GICD, 0x400, 0x500);
	ones(GICD, 0x800, 0x900); /* ITARGETSR */
	ones(GICD, 0xd00, 0xe40); /* IGRPMODR, NSACR */
	dump("GICD, ones", GICD, 0x400, 0x500);
	dump("GICD, ones", GICD, 0x800, 0xc40);
	dump("GICD, ones", GICD, 0xd00, 0xe40);
	ones(GICD, 0xffd0, 0x10000);
	dump("GICD, ones", GICD, 0xff00, 0x10000);
	ones(SGI(0), 0x80, 0x84);
	ones(SGI(0), 0x100, 0x104);
	dump("GICR, ones", SGI(0), 0x80, 0x200);
	ones(SGI(0), 0x180, 0x184);
	ones(SGI(0), 0xc00, 0xc08);
	ones(SGI(0), 0x400, 0x420);
	ones(SGI(0), 0xd00, 0xe04);
	dump("GICR, ones", SGI(0), 0x400, 0xe04);
	w32(SGI(0) + 0xc04, 0);
	is("GICR_ICFGR1, zero", r32(SGI(0) + 0xc04));
	/* Routes: another affinity, and its halves */
	w64(GICD_IROUTER(40), 0);
	is("GICD_IROUTER40", r64(GICD_IROUTER(40)));
	w64(GICD_IROUTER(40), 1);
	is("GICD_IROUTER40, to a CPU that is there", r64(GICD_IROUTER(40)));
	w32(GICD_IROUTER(40), 0);
	is("GICD_IROUTER40, by halves", r32(GICD_IROUTER(40)));
	is("GICD_IROUTER40, by halves", r32(GICD_IROUTER(40) + 4));
	w64(GICD_IROUTER(40), 0x70000);
	is("GICD_IROUTER40, to a CPU that is not there", r64(GICD_IROUTER(40)));
	is("exception", caught.esr);
	is("behind the last redistributor", r32(GICR(2) + 8));
	is("  its exception", caught.esr);
	off();
}
