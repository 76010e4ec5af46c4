/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's memory before its first instruction (Linux: Documentation/arch/arm64/booting). */
#include "boot/guestload.h"
#include "arch/arch.h"
#include "board/board.h"
#include "board/crc32.h"
#include "boot/watchdog.h"
#include "cpu/bootargs.h"
#include "lib/build.h"
#include "lib/panic.h"
#include "lib/string.h"

#define IMAGE_MAGIC 0x644d5241 /* "ARM\x64" */
#define FDT_MAGIC   0xd00dfeed
#define HASHED      (1UL << 22) /* bytes of a kernel that are enough to tell it */
#define STRIDE      (1UL << 25) /* bytes that take no noticeable time */
#define PA(ipa)     ((u64)(ipa) - GUEST_IPA + GUEST_PA)

struct guest_id guest_id;

extern const u8 __guest_start[], __guest_end[];

struct image_header {
	u32 code0, code1;
	u64 text_offset, image_size, flags, res2, res3, res4;
	u32 magic, res5;
};

/*
 * Memory is zero where a machine is switched on and nothing was loaded. A reset leaves the guest's as it was, and this
 * word, the last of EL2's, as EL2 wrote it.
 */
#define BEGUN ((u64 *)GUEST_PA - 1)

static bool must_be_zero; /* the rest of RAM, since nobody knows what else is there */

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static bool inside_ram(const struct boot_part *p)
{
	return p->size <= GUEST_SIZE && p->base - GUEST_IPA <= GUEST_SIZE - p->size; /* a base below RAM is beyond it */
}

/* A guest begins with its caches off: EL2's writes for it must reach memory. */
static void __attribute__((noinline)) clear(u64 *p, const u64 *end)
{
	const u64 *from = p;

	for (; p < end; p++)
		*p = 0;
	dcache_clean_range(from, (u64)end - (u64)from);
}

/* The first line that is not zero, or `last`. */
static u64 *__attribute__((noinline)) find_set(u64 *p, const u64 *last)
{
	while (p != last && !(p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]))
		p += 8;
	return p;
}

/* Zeroes [from, to). Memory that is zero already is only read, so that the host need not back it. */
static void __attribute__((noinline)) scrub(u64 from, u64 to)
{
	u64 *p = (u64 *)PA(from), *end = (u64 *)PA(to);
	u64 *first = (u64 *)(((u64)p + 63) & ~63UL), *last = (u64 *)((u64)end & ~63UL); /* whole lines of EL2's stride */

	if (first > last) {
		clear(p, end);
		return;
	}
	clear(p, first);
	for (p = first; (p = find_set(p, last)) != last; p += 8) {
		if (must_be_zero)
			panic("guest RAM: something was loaded at IPA 0x%lx, and no arm64 Image at IPA 0x%x; without one, `make "
			      "run-guest` says in the boot arguments what it is", (u64)p - GUEST_PA + GUEST_IPA, GUEST_IPA);
		clear(p, p + 8);
	}
	clear(last, end);
}

static void scrub_by_strides(u64 from, u64 to)
{
	for (; from + STRIDE < to; from += STRIDE) {
		scrub(from, from + STRIDE);
		this_cpu()->progress++;
	}
	scrub(from, to);
}

/* Zeroes RAM outside `parts`, which are sorted by base and disjoint. */
static void scrub_rest(const struct boot_part *parts, unsigned n)
{
	u64 at = GUEST_IPA;

	for (unsigned i = 0; i < n; i++) {
		if (!parts[i].size)
			continue;
		scrub_by_strides(at, parts[i].base & ~7UL);
		at = (parts[i].base + parts[i].size + 7) & ~7UL;
	}
	scrub_by_strides(at, GUEST_IPA + GUEST_SIZE);
}

/*
 * Stops the boot unless `parts`, in the order of their addresses, are in RAM and disjoint, in units of a scrub. `what` has
 * a word of eight bytes for each.
 */
static void check(const struct boot_part *parts, unsigned n, const char (*what)[8])
{
	const struct boot_part *before = NULL;

	for (const struct boot_part *p = parts; p < parts + n; p++) {
		if (!inside_ram(p))
			panic("%s: IPA 0x%lx + 0x%lx is not inside RAM", what[p - parts], p->base, p->size);
		if (!p->size)
			continue;
		if (before && ((before->base + before->size + 7) & ~7UL) > (p->base & ~7UL))
			panic("%s: IPA 0x%lx + 0x%lx overlaps %s at 0x%lx", what[before - parts], before->base, before->size,
			      what[p - parts], p->base);
		before = p;
	}
}

static void load_bundled(struct guest *g)
{
	u64 size = (u64)__guest_end - (u64)__guest_start;

	must_be_zero = !*BEGUN;
	scrub_rest(NULL, 0);
	memcpy((void *)GUEST_PA, __guest_start, size);
	dcache_clean_range((void *)GUEST_PA, size);
	guest_id = (struct guest_id){ "diag", build_guest_hash };
	*g = (struct guest){ GUEST_IPA, 0, true };
}

/* A kernel of any kind, whose parts the boot arguments name. */
static void load_parts(struct guest *g)
{
	static const char what[BOOT_PARTS][8] = { "part 1", "part 2", "part 3", "part 4", "part 5", "part 6", "part 7", "part 8" };
	const struct boot_part *const parts = bootargs.parts, *p = parts;
	u64 size, n = bootargs.n_parts;

	check(parts, bootargs.n_parts, what);
	while (p < parts + n && bootargs.entry - p->base >= p->size)
		p++;
	if (p == parts + n || bootargs.entry & 3)
		panic("entry at IPA 0x%lx: no instruction of a part", bootargs.entry);
	scrub_rest(parts, bootargs.n_parts);
	size = p->size < HASHED ? p->size : HASHED;
	guest_id = (struct guest_id){ "kernel", crc32(0, (const void *)PA(p->base), size) };
	*g = (struct guest){ bootargs.entry, bootargs.x0, false };
}

static void load_linux(struct guest *g)
{
	const struct image_header *h = (const struct image_header *)GUEST_PA;
	const u8 *dtb = (const u8 *)PA(LINUX_DTB_IPA);
	static const char what[3][8] = { "Image", "initrd", "DTB" };
	struct boot_part parts[3] = {
		{ GUEST_IPA, 0 },
		{ bootargs.initrd_at ? bootargs.initrd_at : LINUX_INITRD_IPA, bootargs.initrd },
		{ LINUX_DTB_IPA, 0 },
	};

	if (h->magic != IMAGE_MAGIC)
		panic("Image at IPA 0x%x: magic 0x%x, not \"ARM\\x64\"", GUEST_IPA, h->magic);
	if (h->flags & 1)
		panic("Image: big-endian (flags 0x%lx)", h->flags);
	/* The file is loaded at the start of RAM and entered at text_offset. */
	parts[0].size = h->image_size > bootargs.image ? h->image_size : bootargs.image;
	if (h->text_offset > GUEST_SIZE || parts[0].size > GUEST_SIZE)
		panic("Image: text_offset 0x%lx, image_size 0x%lx do not fit into RAM of 0x%x", h->text_offset,
		      h->image_size, GUEST_SIZE);
	parts[0].size += h->text_offset;

	if (be32(dtb) != FDT_MAGIC)
		panic("DTB at IPA 0x%x: magic 0x%x, not 0xd00dfeed", LINUX_DTB_IPA, be32(dtb));
	parts[2].size = be32(dtb + 4);
	if (parts[2].size < 40 || parts[2].size > LINUX_DTB_MAX || (bootargs.dtb && parts[2].size > bootargs.dtb))
		panic("DTB at IPA 0x%x: totalsize 0x%lx, file 0x%lx, room 0x%x", LINUX_DTB_IPA, parts[2].size, bootargs.dtb,
		      LINUX_DTB_MAX);
	check(parts, 3, what);

	/* Without boot arguments the initrd's length is unknown: then nothing is scrubbed. */
	if (bootargs.image)
		scrub_rest(parts, 3);
	/*
	 * An Image is named by its header, which tells kernels apart; a checksum of 32 MiB would take most of the boot.
	 */
	guest_id = (struct guest_id){ "linux", crc32(0, (const char *)h, 4096) };
	*g = (struct guest){ GUEST_IPA + h->text_offset, LINUX_DTB_IPA, false };
}

void guest_load(struct guest *g)
{
	if (bootargs.n_parts)
		load_parts(g);
	else if (bootargs.is_linux || ((const struct image_header *)GUEST_PA)->magic == IMAGE_MAGIC)
		load_linux(g);
	else
		load_bundled(g);
	*BEGUN = 1;
	dsb_sy();     /* before the instruction cache is invalidated, or it fetches the old bytes ("IC IALLUIS") */
	ic_ialluis(); /* the guest will execute these bytes */
}
