/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where EL2 takes addresses and sizes from others: guest_ram() and the loader. Cases come by stdin as eleven u64 each
 * (test_bounds.py); three go out: accepted, then the pointer, or the entry and the context.
 *
 * Of the guest's RAM only the pages are there that the loader may look at before it has decided; what it does
 * afterwards ends in SIGSEGV: the case was accepted.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "board.h"
#include "bootargs.h"
#include "build.h"
#include "guestload.h"
#include "guestmem.h"
#include "panic.h"

struct question {
	u64 loader, a, b; /* loader 0: guest_ram(a, b); 1: text_offset a, image_size b */
	u64 flags, magic, image, initrd, dtb, dtb_magic, totalsize, pad;
};
struct answer {
	u64 accepted, first, second;
};

struct bootargs bootargs;
const u32 build_guest_hash;
const u8 __guest_start[8], __guest_end[8];
u64 fake_now, fake_step;
static sigjmp_buf over;

u64 fake_sysreg_read(const char *name) { (void)name; return 0; }
void fake_sysreg_write(const char *name, u64 value) { (void)name; (void)value; }
void fake_at(u64 va, bool write, bool both) { (void)va; (void)write; (void)both; }
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
	bootargs = (struct bootargs){ .is_linux = true, .image = (u32)q->image, .initrd = (u32)q->initrd, .dtb = (u32)q->dtb };
	switch (sigsetjmp(over, 1)) {
	case 0:
		guest_load(&guest);
		*a = (struct answer){ 1, guest.entry, guest.context };
		break;
	case 1:
		*a = (struct answer){ .accepted = 0 };
		break;
	default:
		*a = (struct answer){ .accepted = 2 };
	}
}

int main(void)
{
	struct question q;
	struct answer a;
	struct sigaction action = { .sa_handler = touched };
	u8 *ram = mmap((void *)GUEST_PA, GUEST_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	if (ram != (u8 *)GUEST_PA || mprotect(ram, 4096, PROT_READ | PROT_WRITE) ||
	    mprotect(ram + LINUX_DTB_IPA - GUEST_IPA, 4096, PROT_READ | PROT_WRITE) || sigaction(SIGSEGV, &action, NULL))
		abort();
	while (fread(&q, sizeof(q), 1, stdin) == 1) {
		if (q.loader) {
			load(&q, &a);
		} else {
			void *p = guest_ram(q.a, q.b);

			a = (struct answer){ !!p, (u64)p, 0 };
		}
		fwrite(&a, sizeof(a), 1, stdout);
	}
	return 0;
}
