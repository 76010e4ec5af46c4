/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that uses SVE, pointer authentication, branch targets and memory tags, and says what it finds. */
#include <stdint.h>

typedef uint64_t u64;

#define UART (*(volatile uint32_t *)0x09000000)
#define read(r) ({ u64 v; __asm__ volatile("mrs %0, " #r : "=r"(v)); v; })
#define write(r, v) __asm__ volatile("msr " #r ", %0; isb" : : "r"((u64)(v)) : "memory")

void main(void);

static u64 table[512] __attribute__((aligned(4096))), low[512] __attribute__((aligned(4096)));
static volatile u64 caught;

static void say(const char *name, u64 v)
{
	for (; *name; name++)
		UART = (uint8_t)*name;
	UART = ' ';
	for (int s = 60; s >= 0; s -= 4)
		UART = (uint8_t)"0123456789abcdef"[v >> s & 15];
	UART = '\n';
}

/* Vectors: ESR to `caught`, goes on behind the instruction; a BTI fault goes on at X30. */
__asm__(".balign 2048\n.global vectors\nvectors:\n.rept 16\n.balign 128\nb fault\n.endr\n"
	"fault: stp x0, x1, [sp, #-16]!\nmrs x0, esr_el1\nadrp x1, caught\nstr x0, [x1, :lo12:caught]\n"
	"lsr x0, x0, #26\nmrs x1, elr_el1\nadd x1, x1, #4\ncmp x0, #0xd\ncsel x1, x30, x1, eq\nmsr elr_el1, x1\n"
	"mrs x0, spsr_el1\nbic x0, x0, #0xc00\nmsr spsr_el1, x0\nldp x0, x1, [sp], #16\neret\n"
	".global _start\n_start: mov x1, #0x40400000\nmov sp, x1\nadr x1, vectors\nmsr vbar_el1, x1\nb main\n"
	".global landing\nlanding: nop\nret\n.global landing_ok\nlanding_ok: hint #34\nret\n");

extern char vectors[], landing[], landing_ok[];

static void sve(void)
{
	u64 bytes, sum;

	write(cpacr_el1, 3 << 16 | 3 << 20);
	say("sve length at first", read(S3_0_C1_C2_0)); /* ZCR_EL1 */
	write(S3_0_C1_C2_0, 0xf);
	__asm__ volatile(".arch armv8-a+sve\ncntb %0\nptrue p0.b\nindex z0.b, #1, #1\nuaddv d1, p0, z0.b\n" : "=r"(bytes) : : "v0", "v1");
	say("sve bytes", bytes);
	__asm__ volatile("fmov %0, d1" : "=r"(sum));
	say("sve sum", sum);
}

static void pauth(void)
{
	u64 p = 0x40123450, q = p, r;

	say("pac key at first", read(S3_0_C2_C1_0) | read(S3_0_C2_C1_1));
	write(S3_0_C2_C1_0, 0x0123456789abcdef); /* APIAKeyLo_EL1 */
	write(S3_0_C2_C1_1, 0xfedcba9876543210);
	write(sctlr_el1, read(sctlr_el1) | 1UL << 31);
	__asm__ volatile(".arch armv8.3-a\npacia %0, %1" : "+r"(q) : "r"(42UL));
	r = q;
	say("pac signed", q);
	__asm__ volatile("autia %0, %1" : "+r"(q) : "r"(42UL));
	say("pac checked", q);
	__asm__ volatile("autia %0, %1" : "+r"(r) : "r"(43UL));
	say("pac wrong is other", r != p);
	say("pac key", read(S3_0_C2_C1_0));
}

static void bti(void)
{
	__asm__ volatile("blr %0" : : "r"(landing_ok) : "x30");
	say("bti at a landing pad", caught);
	__asm__ volatile("blr %0" : : "r"(landing) : "x30");
	say("bti elsewhere", caught);
	caught = 0;
}

static void mte(void)
{
	u64 p = 0x40800000, t, back;

	write(S3_0_C1_C0_6, 0); /* GCR_EL1 */
	write(sctlr_el1, read(sctlr_el1) | 1UL << 43 | 1UL << 40); /* ATA, TCF: synchronous */
	t = p | 5UL << 56;
	__asm__ volatile(".arch armv8.5-a+memtag\nstg %0, [%0]" : : "r"(t) : "memory");
	back = p;
	__asm__ volatile("ldg %0, [%1]" : "+r"(back) : "r"(p));
	say("mte tag", back);
	*(volatile u64 *)t = 7;
	say("mte right", caught);
	*(volatile u64 *)(p | 6UL << 56) = 8;
	say("mte wrong", caught);
	say("mte value", *(volatile u64 *)t);
}

void main(void)
{
	register u64 x0 __asm__("x0");

	*(volatile uint32_t *)(0x09000030) = 0x301;

	table[0] = 1UL << 54 | 1UL << 53 | 1 << 10 | 1;
	table[1] = (u64)low | 3;
	for (u64 i = 0; i < 512; i++) /* 2 MiB blocks, tagged; the first is code, guarded */
		low[i] = (0x40000000 + (i << 21)) | 3 << 8 | 1 << 10 | 1 << 2 | 1 | (i == 1 ? 1UL << 50 : 0);
	write(mair_el1, 0xf000);
	write(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2UL << 32 | 1UL << 37);
	write(ttbr0_el1, table);
	__asm__ volatile("dsb ish; tlbi vmalle1; dsb ish; isb");
	write(sctlr_el1, read(sctlr_el1) | 1UL << 36 | 1 << 12 | 1 << 2 | 1); /* BT1: BLR needs a landing pad, too */
	sve();
	pauth();
	bti();
	mte();
	x0 = 0x84000008; /* PSCI SYSTEM_OFF */
	__asm__ volatile("hvc #0" : : "r"(x0));
}
