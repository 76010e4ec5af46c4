/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2's checks of foreign addresses and sizes: guest_ram(), the loader and the boot arguments. Cases come by stdin as
 * fourteen u64 each (test_bounds.py); ten go out: accepted, then the pointer, or the entry and the context, or the
 * parsed arguments. With -DFUZZED (fuzz_host.py) bytes are boot arguments, an Image's header and a DTB's.
 *
 * Of the guest's RAM only the pages exist that the loader may look at before it has decided. After that it runs into
 * SIGSEGV, which means: the case was accepted.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "board/board.h"
#include "cpu/bootargs.h"
#include "cpu/cpu.h"
#include "lib/build.h"
#include "boot/guestload.h"
#include "vm/guestmem.h"
#include "lib/panic.h"

const struct decision policy_rows[1];
const struct memory policy_memory[1];
const u16 policy_n_memory;

struct question {
	/*
	 * 0: guest_ram(a, b); 1: text_offset a, image_size b; 2: text from a on, (loader >> 8) bytes; 3: guest_read_va(a, , b);
	 * 4: three parts, of a and b, flags and magic, image and initrd, entered at dtb
	 */
	u64 loader, a, b;
	u64 flags, magic, image, initrd, dtb, dtb_magic, totalsize, initrd_at, rest[3];
};
struct answer {
	u64 accepted, first, second, more[7];
};

const u32 build_guest_hash;
const u8 __guest_start[8], __guest_end[8];
u64 fake_now, fake_step;
static struct cpu cpu;
static sigjmp_buf over;

static u64 par = 0x777;
u64 fake_sysreg_read(const char *name) { return strcmp(name, "par_el1") ? strcmp(name, "tpidr_el2") ? 0 : (u64)&cpu : par; }
void fake_sysreg_write(const char *name, u64 value) { (void)name; par = value; }
/* VA 0x1000 to 0x2fff: the first page of RAM, twice; 0x3000: a device; nothing else. */
void fake_at(u64 va, bool write, bool both)
{
	(void)write;
	(void)both;
	par = va >> 12 == 1 || va >> 12 == 2 ? GUEST_IPA : va >> 12 == 3 ? 0x09000000 : 0x809;
}
void dc_civac(const void *p) { (void)p; }
void ic_ialluis(void) {}
void panic(const char *format, ...)
{
	(void)format;
	siglongjmp(over, 1);
}
static void touched(int number)
{
	(void)number;
	siglongjmp(over, 2);
}

static void load(const struct question *q, struct answer *a)
{
	struct guest guest = { 0 };
	u8 *header = (u8 *)GUEST_PA, *dtb = (u8 *)(LINUX_DTB_IPA - GUEST_IPA + (u64)GUEST_PA);
	u64 fields[3] = { q->a, q->b, q->flags };

	memcpy(header + 8, fields, sizeof(fields));
	memcpy(header + 56, &q->magic, 4);
	for (unsigned i = 0; i < 4; i++) {
		dtb[i] = (u8)(q->dtb_magic >> (24 - 8 * i));
		dtb[4 + i] = (u8)(q->totalsize >> (24 - 8 * i));
	}
	bootargs = (struct bootargs){ .is_linux = true, .image = q->image, .initrd = q->initrd, .dtb = q->dtb, .initrd_at = q->initrd_at };
	if (q->loader == 4)
		bootargs = (struct bootargs){ .entry = q->dtb, .x0 = 0x1234, .n_parts = 3, .parts = { { q->a, q->b },
			{ q->flags, q->magic }, { q->image, q->initrd } } };
	switch (sigsetjmp(over, 1)) {
	case 0:
		guest_load(&guest);
		*a = (struct answer){ 1, guest.entry, guest.context, { 0 } };
		break;
	case 1:
		*a = (struct answer){ .accepted = 0 };
		break;
	default:
		*a = (struct answer){ .accepted = 2 };
	}
}

static void board(void)
{
	struct sigaction action = { .sa_handler = touched };
	u8 *ram = mmap((void *)(GUEST_PA - 4096), GUEST_SIZE + 4096, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	if (ram != (u8 *)GUEST_PA - 4096 || mprotect(ram, 8192, PROT_READ | PROT_WRITE) ||
	    mprotect(ram + 4096 + LINUX_DTB_IPA - GUEST_IPA, 4096, PROT_READ | PROT_WRITE) || sigaction(SIGSEGV, &action, NULL))
		abort();
}

#ifdef FUZZED
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool there;
	char text[96] = "charter1 guest=linux ";
	struct question q = { .loader = 1 };
	struct answer a;
	struct bootargs b = { .log = -1 };
	const char *bad;

	if (!there)
		board();
	there = true;
	memcpy(text + 21, data, size < 60 ? size : 60);
	bootargs_parse(text, size < 60 ? 21 + size : 81, &b, &bad);
	if (b.init && (b.init < text || b.init + b.init_size > text + sizeof(text)))
		abort();
	if (size > 60)
		memcpy(&q.a, data + 60, size - 60 < 80 ? size - 60 : 80);
	q.image = b.image;
	q.initrd = b.initrd;
	q.dtb = b.dtb;
	q.initrd_at = b.initrd_at;
	q.magic = q.magic & 1 ? 0x644d5241 : q.magic;
	q.dtb_magic = q.dtb_magic & 1 ? 0xd00dfeed : q.dtb_magic;
	load(&q, &a);
	if (a.accepted == 1 && (a.first - GUEST_IPA > GUEST_SIZE || a.second != LINUX_DTB_IPA))
		abort();
	return 0;
}
#else
static void parse(const struct question *q, struct answer *a)
{
	struct bootargs b = { .log = -1 };
	const char *text = (const char *)&q->a, *bad;

	if (bootargs_parse(text, q->loader >> 8, &b, &bad) != !bad)
		abort();
	*a = (struct answer){ .accepted = bad ? (u64)(bad - text) << 8 : 0 };
	if (bad)
		return; /* nothing of it counts */
	a->accepted = 1 | (u64)b.unattended << 1 | (u64)b.no_escape << 2 | (u64)b.is_linux << 3 |
		      (u64)(b.log + 1) << 4 | 0xff << 8 |
		      (b.init ? (u64)(b.init - text) << 16 | (u64)b.init_size << 24 : 0);
	a->first = b.image;
	a->second = b.initrd;
	memcpy(a->more, (u64[7]){ b.dtb, b.initrd_at, b.entry, b.x0, b.n_parts }, sizeof(a->more));
	if (b.n_parts)
		memcpy(&a->more[5], &b.parts[b.n_parts - 1], 16);
}

/* Of the bytes read: their number and sum. */
static void read_va(const struct question *q, struct answer *a)
{
	static u8 to[3 * 4096];

	for (u64 i = 0; i < 4096; i++)
		((u8 *)GUEST_PA)[i] = (u8)(i * 7 >> 3);
	a->accepted = guest_read_va(q->a, to, q->b);
	for (u64 i = 0; i < a->accepted; i++)
		a->first += to[i] * (i + 1);
	a->second = par;
}

int main(void)
{
	struct question q;
	struct answer a;

	board();
	while (fread(&q, sizeof(q), 1, stdin) == 1) {
		memset(&a, 0, sizeof(a));
		if ((u8)q.loader == 2) {
			parse(&q, &a);
		} else if (q.loader == 3) {
			read_va(&q, &a);
		} else if (q.loader) {
			load(&q, &a);
		} else {
			void *p = guest_ram(q.a, q.b);

			a = (struct answer){ !!p, (u64)p, 0, { 0 } };
		}
		fwrite(&a, sizeof(a), 1, stdout);
	}
	return 0;
}
#endif
