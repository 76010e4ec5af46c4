/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that tries each form of a store, and a call, on pages that it may not write or not execute, and prints the
 * exceptions and a sum of the page. With -DOWN its own stage 1 forbids them, on bare QEMU; without, the policy
 * (guarded.yaml).
 */
#include <stdint.h>

typedef uint64_t u64;

#define UART (*(volatile uint32_t *)0x09000000)
#define read(r) ({ u64 v; __asm__ volatile("mrs %0, " #r : "=r"(v)); v; })
#define write(r, v) __asm__ volatile("msr " #r ", %0; isb" : : "r"((u64)(v)) : "memory")

#define CODE  0x48000000UL /* r-x */
#define PLAIN 0x48001000UL /* r-- */
#define DATA  0x48002000UL /* rw- */
#define ALIAS 0x40000000UL /* from each page to its second VA */
#define RO    (1UL << 7)
#define XN    (3UL << 53)

void main(void);

static u64 l1[512] __attribute__((aligned(4096))), l2[512] __attribute__((aligned(4096))), l3[512] __attribute__((aligned(4096)));
volatile u64 caught[3]; /* ESR_EL1, FAR_EL1, how many */

static void text(const char *s)
{
	while (*s)
		UART = (uint8_t)*s++;
}

static void number(u64 v)
{
	UART = ' ';
	for (int s = 60; s >= 0; s -= 4)
		UART = (uint8_t)"0123456789abcdef"[v >> s & 15];
}

/* Vectors: go on behind the instruction; behind the call after an instruction abort. */
__asm__(".balign 2048\n.global vectors\nvectors:\n.rept 16\n.balign 128\nb fault\n.endr\n"
	"fault: stp x0, x1, [sp, #-16]!\nstp x2, x3, [sp, #-16]!\nadrp x1, caught\nadd x1, x1, :lo12:caught\n"
	"mrs x0, esr_el1\nlsr x2, x0, #26\n"
	"str x0, [x1]\nmrs x3, far_el1\nstr x3, [x1, #8]\nldr x3, [x1, #16]\nadd x3, x3, #1\nstr x3, [x1, #16]\n"
	"mrs x0, elr_el1\nadd x0, x0, #4\nand x2, x2, #~1\ncmp x2, #0x20\ncsel x0, x30, x0, eq\nmsr elr_el1, x0\n"
	"ldp x2, x3, [sp], #16\nldp x0, x1, [sp], #16\neret\n"
	".global _start\n_start: mov x1, #0x40400000\nmov sp, x1\nadr x1, vectors\nmsr vbar_el1, x1\nb main\n"
	/* names[], 16 bytes each: at x0 with x1 and x2 */
	".balign 4096\n.global forms\nforms:\n"
	"strb w1, [x0]\nret\n.balign 16\nstrh w1, [x0]\nret\n.balign 16\nstr w1, [x0]\nret\n.balign 16\nstr x1, [x0]\nret\n"
	".balign 16\nstp x1, x2, [x0]\nret\n.balign 16\nstr x1, [x0], #8\nret\n.balign 16\nstur x1, [x0, #-4]\nret\n"
	".balign 16\nldxr w3, [x0]\nstxr w3, w1, [x0]\nret\n.balign 16\ndc zva, x0\nret\n"
	".balign 16\nstlr w1, [x0]\nret\n.balign 16\nsttr x1, [x0]\nret\n.balign 16\nstr q0, [x0]\nret\n"
	".balign 16\nstr x30, [sp, #-16]!\nblr x0\nldr x30, [sp], #16\nret\n");

extern char forms[];

static const char *const names[] = { "strb", "strh", "str-w", "str-x", "stp", "str-post", "stur", "stxr", "dc-zva",
				     "stlr", "sttr", "str-q", "call" };
#define FORMS (sizeof(names) / sizeof(*names))

static void attempt(unsigned form, u64 at, const char *where)
{
	void (*code)(u64, u64, u64) = (void (*)(u64, u64, u64))(forms + 16 * form);
	u64 sum = 0;

	caught[0] = caught[1] = caught[2] = 0;
	code(at, 0x1122334455667788, 0x99aabbccddeeff00);
	for (u64 p = at & ~0xfffUL; p < (at | 0xfff); p += 8)
		sum = sum * 31 + *(volatile u64 *)p;
	text(names[form]);
	text(where);
	number(at);
	for (int i = 0; i < 3; i++)
		number(caught[i]);
	number(sum);
	text("\n");
}

static u64 page(u64 pa)
{
	u64 d = pa | 0x703;

#ifdef OWN
	if (pa == CODE)
		d |= RO;
	if (pa == PLAIN)
		d |= RO | XN;
	if (pa == DATA)
		d |= XN;
#endif
	return d;
}

void main(void)
{
	static const u64 pages[] = { CODE, PLAIN, DATA };

	for (u64 i = 0; i < 512; i++) {
		l2[i] = (0x40000000 + i * 0x200000) | 0x701;
		l3[i] = page(0x48000000 + i * 0x1000);
	}
	l2[64] = (u64)l3 | 3;
	l1[0] = 0x705; /* attribute 1: device */
	l1[1] = (u64)l2 | 3;
	l1[2] = (u64)l2 | 3;
	write(cpacr_el1, 3 << 20);
	write(mair_el1, 0x04ff);
	write(tcr_el1, 25 | 1 << 23 | 3 << 12 | 1 << 10 | 1 << 8);
	write(ttbr0_el1, l1);
	__asm__ volatile("dsb ish; tlbi vmalle1; dsb ish; isb");
	write(sctlr_el1, read(sctlr_el1) | 1 | 1 << 2 | 1 << 12);
	for (unsigned p = 0; p < 3; p++)
		for (unsigned form = pages[p] == CODE; form < FORMS; form++) { /* CODE may be called */
			attempt(FORMS - 1 - form, pages[p] + 0x100, "");
			attempt(FORMS - 1 - form, pages[p] + 0x100 + ALIAS, "-alias");
		}
	text("end\n");
	__asm__ volatile("ldr x0, =0x84000008\nhvc #0");
	for (;;)
		;
}
