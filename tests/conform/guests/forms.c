/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores that have no syndrome (writeback, pairs, SIMD&FP) to devices: at EL1 without translation, then at EL1 and
 * EL0 with it, where a pair may lie in a device and in RAM, in two devices, or half where nothing is mapped.
 */
#include "lib.h"

void main1(u64 context) { (void)context; }

/* The registers with which an instruction begins, and those that it leaves. */
struct state {
	u64 x[8], sp, pad;  /* x2 is the base, x4 and x5 are offsets */
	u64 q[2][2];
};
void run(struct state *s, u64 insn);            /* at this level */
void run_at_el0(struct state *s, u64 insn);
extern char own_vectors[];
asm(
"	.balign	16\n"
"run:	stp	x29, x30, [sp, #-64]!\n"
"	stp	x19, x20, [sp, #16]\n"
"	stp	x21, x22, [sp, #32]\n"
"	mov	x20, x0\n"
"	mov	x19, x1\n"
"	mov	x21, sp\n"
"	ldp	q0, q1, [x20, #80]\n"
"	ldp	x0, x1, [x20]\n"
"	ldp	x2, x3, [x20, #16]\n"
"	ldp	x4, x5, [x20, #32]\n"
"	ldp	x6, x7, [x20, #48]\n"
"	ldr	x9, [x20, #64]\n"
"	mov	sp, x9\n"
"	blr	x19\n"
"	mov	x9, sp\n"
"	mov	sp, x21\n"
"	str	x9, [x20, #64]\n"
"	stp	x0, x1, [x20]\n"
"	stp	x2, x3, [x20, #16]\n"
"	stp	x4, x5, [x20, #32]\n"
"	stp	x6, x7, [x20, #48]\n"
"	stp	q0, q1, [x20, #80]\n"
"	ldp	x19, x20, [sp, #16]\n"
"	ldp	x21, x22, [sp, #32]\n"
"	ldp	x29, x30, [sp], #64\n"
"	ret\n"
/* EL0 sees RAM at 0x80000000; its stack is the one of EL1, 64 KiB lower. */
"run_at_el0:\n"
"	stp	x29, x30, [sp, #-96]!\n"
"	stp	x19, x20, [sp, #16]\n"
"	stp	x21, x22, [sp, #32]\n"
"	mov	x2, #0x40000000\n"
"	add	x0, x0, x2\n"
"	add	x1, x1, x2\n"
"	adr	x3, 1f\n"
"	add	x3, x3, x2\n"
"	msr	elr_el1, x3\n"
"	mov	x3, #0x3c0\n"
"	msr	spsr_el1, x3\n"
"	mov	x3, sp\n"
"	add	x3, x3, x2\n"
"	sub	x3, x3, #0x10000\n"
"	msr	sp_el0, x3\n"
"	eret\n"
"1:	bl	run\n"
"	svc	#0\n"
"returned:\n"
"	ldp	x19, x20, [sp, #16]\n"
"	ldp	x21, x22, [sp, #32]\n"
"	ldp	x29, x30, [sp], #96\n"
"	ret\n"
/* The stack pointer may be any address: what is needed is kept elsewhere. SVC of EL0 ends run_at_el0(). */
"	.balign	0x800\n"
"own_vectors:\n"
"	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
"	.balign	0x80\n"
"	msr	tpidr_el1, x0\n"
"	msr	contextidr_el1, x1\n"
"	mrs	x0, esr_el1\n"
"	lsr	x1, x0, #26\n"
"	cmp	x1, #0x15\n"
"	b.eq	returned\n"
"	adrp	x1, caught\n"
"	add	x1, x1, :lo12:caught\n"
"	str	x0, [x1]\n"
"	mrs	x0, far_el1\n"
"	str	x0, [x1, #8]\n"
"	mov	x0, #\\n\n"
"	str	x0, [x1, #16]\n"
"	mrs	x0, elr_el1\n"
"	add	x0, x0, #4\n"
"	msr	elr_el1, x0\n"
"	mrs	x0, tpidr_el1\n"
"	mrs	x1, contextidr_el1\n"
"	eret\n"
"	.endr\n"
);

static void (*runner)(struct state *, u64) = run;
static u64 words[4];            /* a device's before, and those that are stored: x1, x3 and halves of q0, q1 */
static struct state s;

static void begin(u64 base)
{
	s = (struct state){ { 0, words[0], base, words[1], 8, -4 & 0xffffffffUL, 0, 0 }, base, 0,
			    { { words[0], words[1] }, { words[2], words[3] } } };
	reset_caught();
}
static void end(const char *name, u64 base, int vector)
{
	u64 esr = caught.esr, far = caught.far;

	is_of(name, base, s.x[1]);
	is("  x3", s.x[3]);
	is("  x2", s.x[2] - base);
	is("  sp", s.sp - base);
	if (vector && esr == ~0UL) {    /* else UNKNOWN, as far as it was to be loaded */
		is("  q0", s.q[0][0]);
		is("  q0, upper half", s.q[0][1]);
		is("  q1", s.q[1][0]);
		is("  q1, upper half", s.q[1][1]);
	}
	if (esr != ~0UL) {
		is("  abort", esr);
		is("  FAR_EL1", far);
	}
}
#define DO(insn, base, vector) do { \
	u64 at_; \
	asm volatile("adr %0, 1f\n\tb 2f\n1:\t" insn "\n\tret\n2:" : "=r"(at_)); \
	begin(base); \
	runner(&s, at_); \
	end(insn, base, vector); \
} while (0)
/* A device's registers: words of 32 or 64 bits from `base`. */
static u64 bits, held;
static void fill(u64 base)
{
	for (unsigned i = 0; i < 8; i++)
		if (bits == 64)
			w64(base + 8 * i, held + i);
		else
			w32(base + 4 * i, (u32)(held + 0x08080808UL * i));
}
static void look(u64 base)
{
	for (unsigned i = 0; i < 8; i++)
		is("  register", bits == 64 ? r64(base + 8 * i) : r32(base + 4 * i));
}
#define STORE(insn, base, vector) do { fill(base); DO(insn, (base) + 16, vector); look(base); } while (0)
#define LOAD(insn, base, vector) DO(insn, (base) + 16, vector)

static void words_of_32(u64 a)
{
	bits = 32;
	held = 0x8098a0b8;
	words[0] = 0x1122334448505860;
	words[1] = 0x99aabbccc8d0d8e0;
	words[2] = 0x6070788010182028;
	words[3] = 0x3038404850586068;
	fill(a);
	LOAD("ldr w1, [x2], #4", a, 0);
	LOAD("ldr w1, [x2], #-256", a, 0);
	LOAD("ldr w1, [x2, #4]!", a, 0);
	LOAD("ldr w1, [x2, #-16]!", a, 0);
	LOAD("ldr wzr, [x2], #4", a, 0);
	LOAD("ldr w1, [sp], #4", a, 0);
	LOAD("ldr w1, [sp, #-4]!", a, 0);
	LOAD("ldrb w1, [x2], #1", a, 0);
	LOAD("ldrb w1, [x2, #3]!", a, 0);
	LOAD("ldrsb x1, [x2], #255", a, 0);
	LOAD("ldrsb w1, [x2, #1]!", a, 0);
	LOAD("ldrsw x1, [x2], #4", a, 0);
	LOAD("ldrsw x1, [x2, #4]!", a, 0);
	/* QEMU 10 makes one access of two words that are aligned to 64 bits: these are not */
	LOAD("ldp w1, w3, [x2]", a + 4, 0);
	LOAD("ldp w1, w3, [x2, #8]", a + 4, 0);
	LOAD("ldp w1, w3, [x2], #-8", a + 4, 0);
	LOAD("ldp w1, w3, [x2, #4]!", a, 0);
	LOAD("ldp w3, w1, [sp, #-12]!", a, 0);
	LOAD("ldp w2, w3, [x2]", a + 4, 0);
	LOAD("ldp wzr, w3, [x2, #-12]", a, 0);
	LOAD("ldnp w1, w3, [x2, #4]", a, 0);
	LOAD("ldpsw x1, x3, [x2]", a + 4, 0);
	LOAD("ldpsw x1, x3, [x2], #8", a + 4, 0);
	LOAD("ldpsw x1, x3, [x2, #4]!", a, 0);
	LOAD("ldr s0, [x2]", a, 1);
	LOAD("ldr s0, [x2, #8]", a, 1);
	LOAD("ldur s0, [x2, #-4]", a, 1);
	LOAD("ldr s0, [x2], #4", a, 1);
	LOAD("ldr s1, [x2, #4]!", a, 1);
	LOAD("ldr s1, [x2, x4]", a, 1);
	LOAD("ldr s1, [x2, w5, sxtw #2]", a, 1);
	LOAD("ldr s0, [sp]", a, 1);
	LOAD("ldr b0, [x2, #1]", a, 1);
	LOAD("ldr b0, [x2], #1", a, 1);
	LOAD("ldp s0, s1, [x2]", a, 1);
	LOAD("ldp s1, s0, [x2], #8", a, 1);
	LOAD("ldp s0, s1, [x2, #-16]!", a, 1);
	LOAD("ldnp s0, s1, [x2]", a, 1);
	STORE("str w1, [x2], #4", a, 0);
	STORE("str w1, [x2, #4]!", a, 0);
	STORE("str wzr, [x2], #4", a, 0);
	STORE("str w1, [sp, #-4]!", a, 0);
	STORE("strb w1, [x2], #1", a, 0);
	STORE("strb w1, [x2, #3]!", a, 0);
	STORE("stp w1, w3, [x2, #4]", a, 0);
	STORE("stp w1, w3, [sp, #4]!", a, 0);
	STORE("stp w1, w1, [x2, #-4]!", a, 0);
	STORE("stp w3, wzr, [sp, #-12]!", a, 0);
	STORE("stnp w1, w3, [x2, #4]", a, 0);
	w32(a + 32, 0x88);
	DO("stp w1, w3, [x2], #8", a + 20, 0);
	look(a);
	STORE("str s0, [x2]", a, 1);
	STORE("str s1, [x2], #4", a, 1);
	STORE("stur s0, [x2, #-8]", a, 1);
	STORE("str s0, [x2, w5, sxtw]", a, 1);
	STORE("str b0, [x2, #2]", a, 1);
	STORE("stp s0, s1, [x2, #-8]!", a, 1);
	STORE("stnp s1, s0, [x2]", a, 1);
}

static void words_of_64(u64 a)
{
	bits = 64;
	held = 0;                       /* GICD_IROUTERn: the eight CPUs */
	words[0] = 5;
	words[1] = 1;
	words[2] = 7;
	words[3] = 2;
	fill(a);
	LOAD("ldr x1, [x2], #8", a, 0);
	LOAD("ldr x1, [x2, #-8]!", a, 0);
	LOAD("ldp x1, x3, [x2]", a, 0);
	LOAD("ldp x1, x3, [x2], #-512", a, 0);
	LOAD("ldp x1, x3, [x2, #16]!", a, 0);
	LOAD("ldp x3, xzr, [sp, #-16]!", a, 0);
	LOAD("ldnp x1, x3, [x2, #8]", a, 0);
	LOAD("ldr d0, [x2]", a, 1);
	LOAD("ldr d1, [x2, x4]", a, 1);
	LOAD("ldr d0, [x2], #8", a, 1);
	LOAD("ldp d0, d1, [x2, #8]!", a, 1);
	LOAD("ldr q0, [x2]", a, 1);
	LOAD("ldr q1, [x2, #16]!", a, 1);
	LOAD("ldur q0, [x2, #-16]", a, 1);
	LOAD("ldp q0, q1, [x2]", a, 1);
	LOAD("ldp q1, q0, [x2], #32", a, 1);
	STORE("str x1, [x2], #8", a, 0);
	STORE("str xzr, [x2, #-8]!", a, 0);
	STORE("stp x1, x3, [x2]", a, 0);
	STORE("stp x1, x3, [x2, #8]!", a, 0);
	STORE("str d0, [x2]", a, 1);
	STORE("str d1, [x2, #-8]!", a, 1);
	STORE("stp d0, d1, [x2], #16", a, 1);
	STORE("str q0, [x2]", a, 1);
	STORE("str q1, [x2], #-16", a, 1);
	STORE("stp q0, q1, [x2]", a, 1);
	STORE("stnp q1, q0, [x2, #-16]", a, 1);
}

/* UARTIBRD has 16 bits, and is read in any width. */
static void halves(u64 a)
{
	w32(a + 0x24, 0x8765);
	DO("ldrh w1, [x2], #2", a + 0x24, 0);
	DO("ldrh w1, [x2, #36]!", a, 0);
	DO("ldrsh x1, [x2], #2", a + 0x24, 0);
	DO("ldrsh w1, [x2], #2", a + 0x24, 0);
	DO("ldr h0, [x2]", a + 0x24, 1);
	DO("ldr h0, [x2], #2", a + 0x24, 1);
	words[0] = 0x1234;
	DO("strh w1, [x2], #4", a + 0x24, 0);
	is("  UARTIBRD", r32(a + 0x24));
	words[0] = 0x4321;
	DO("str h0, [x2, #36]!", a, 1);
	is("  UARTIBRD", r32(a + 0x24));
	words[0] = 0x11;
	words[1] = 0x22;
	DO("stp w1, w3, [x2], #4", a + 0x24, 0);
	is("  UARTIBRD", r32(a + 0x24));
	is("  UARTFBRD", r32(a + 0x28));
	DO("ldp w1, w3, [x2]", a + 0x24, 0);
}

static void nothing(u64 a)
{
	DO("ldr w1, [x2], #4", a, 0);
	DO("str w1, [x2, #4]!", a, 0);
	DO("ldp x1, x3, [x2], #16", a, 0);
	DO("stp w1, w3, [x2]", a, 0);
	DO("ldr q0, [x2]", a, 1);
	DO("str s0, [x2], #4", a, 1);
}

/* The last word of a page, and the first one of the next. */
static void across(u64 next)
{
	DO("ldp w1, w3, [x2], #8", next - 4, 0);
	DO("ldpsw x1, x3, [x2, #4]!", next - 8, 0);
	DO("ldp x1, x3, [x2]", next - 8, 0);
	DO("ldp s0, s1, [x2], #8", next - 4, 1);
	DO("ldp q0, q1, [x2], #32", next - 16, 1);
}
static u64 ram[2][512] __attribute__((aligned(4096)));
static void stores_across(u64 next)
{
	for (unsigned i = 0; i < 2; i++)
		ram[i][0] = ram[i][1] = ram[i][2] = ram[i][510] = ram[i][511] = 0xa5a5a5a5a5a5a5a5;
	words[0] = 0x1111111111111111;
	words[1] = 0x2222222222220012;  /* GICD_CTLR as it is */
	words[2] = 0x3333333333330012;
	words[3] = 0x4444444444444444;
	DO("stp w1, w3, [x2], #8", next - 4, 0);
	DO("stp x1, x3, [x2, #-8]!", next, 0);
	DO("stp s0, s1, [x2]", next - 4, 1);
	DO("stp q0, q1, [x2], #32", next - 16, 1);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned j = 0; j < 3; j++) {
			is_of("  RAM", j, ram[i][j]);
			is_of("  RAM", 511 - j, ram[i][511 - j]);
		}
}

static u64 l1[512] __attribute__((aligned(4096))), l2[512] __attribute__((aligned(4096))), l3[512] __attribute__((aligned(4096)));
#define AF   BIT(10)
#define EL0  BIT(6)
#define XN   (BIT(53) | BIT(54))
#define NORMAL (1UL << 2)
#define PAGES 0xc0000000UL
#define DEVICE(pa) ((pa) | AF | XN | 3)

static void translate(void)
{
	l1[0] = AF | XN | 1;
	l1[1] = 0x40000000 | AF | NORMAL | 1;
	l1[2] = 0x40000000 | AF | NORMAL | EL0 | 1;
	l1[3] = (u64)l2 | 3;
	l2[0] = (u64)l3 | 3;
	l3[0] = DEVICE(GICD) | EL0;                     /* 0, 1: two devices */
	l3[1] = DEVICE(GICD + 0x6000) | EL0;
	l3[2] = DEVICE((u64)ram[0]) | NORMAL | EL0;     /* RAM, a device, RAM */
	l3[3] = DEVICE(GICD) | EL0;
	l3[4] = DEVICE((u64)ram[1]) | NORMAL | EL0;
	l3[6] = DEVICE(GICD) | EL0;                     /* 5: nothing, also behind a device */
	l3[8] = DEVICE(GICD) | EL0;                     /* 9: EL1's */
	l3[9] = DEVICE((u64)ram[0]) | NORMAL;
	l3[10] = DEVICE(0x0b000000UL) | EL0;            /* where nothing is */
	l3[11] = DEVICE(GICD) | EL0;
	l3[12] = DEVICE(0x0b000000UL) | EL0;
	l3[14] = DEVICE(GICD) | EL0;
	l3[15] = DEVICE((u64)ram[0]) | NORMAL | EL0 | BIT(7); /* not to be written */
	l3[16] = DEVICE(GICD) | EL0;
	l3[18] = DEVICE(UART) | EL0;
	msr(mair_el1, 0xff00);
	msr(tcr_el1, 25UL | 1UL << 8 | 1UL << 10 | 3UL << 12 | 1UL << 23 | 2UL << 32 | 1UL << 37); /* TBI0 */
	msr(ttbr0_el1, l1);
	asm volatile("dsb ish; tlbi vmalle1; dsb ish; isb" : : : "memory");
	msr(sctlr_el1, 0x30d00801UL);
}

static void translated(void)
{
	static const u8 borders[] = { 1, 3, 4, 7, 9, 11, 12, 15, 16, 19 };

	for (unsigned i = 0; i < sizeof(borders); i++)
		across(PAGES + 0x1000 * borders[i]);
	for (unsigned i = 0; i < sizeof(borders); i++)
		stores_across(PAGES + 0x1000 * borders[i]);
	DO("ldr w1, [x2], #4", PAGES | 0x5aUL << 56, 0);
	DO("ldp w1, w3, [x2, #-8]!", (PAGES + 0x42c) | 0x5aUL << 56, 0);
	DO("ldr w1, [x2], #4", (PAGES + 0xa000) | 0x5aUL << 56, 0);
	DO("stp w1, w3, [x2]", (PAGES + 0xbffc) | 0x5aUL << 56, 0);
}

void main(void)
{
	msr(vbar_el1, own_vectors);
	w32(GICD, 0x12);
	gic_cpu(0);
	words_of_32(GICD + 0x420);
	words_of_64(GICD + 0x6000 + 8 * 40);
	halves(UART);
	nothing(0x0b000000);
	across(UART + 0x1000);
	translate();
	translated();
	runner = run_at_el0;
	is("at EL0", 0);
	words_of_32(PAGES + 0x420);
	words_of_64(PAGES + 0x1000 + 8 * 40);
	halves(PAGES + 0x12000);
	translated();
	off();
}
