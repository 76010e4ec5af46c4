/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by one-file guests. They print observations, a line `= NAME VALUE` each, and judge nothing: conform.py boots
 * the same file on bare QEMU at EL1 and under Charter, and compares the lines. The MMU is off on every CPU.
 */
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;
typedef long s64;
typedef _Bool bool;
#define true  1
#define false 0

#define BIT(n) (1UL << (n))
#define MRS_TEXT(r) ({ u64 v_; asm volatile("mrs %0, " #r : "=r"(v_) : : "memory"); v_; })
#define MSR_TEXT(r, v) asm volatile("msr " #r ", %0\n\tisb" : : "r"((u64)(v)) : "memory")
#define mrs(r) MRS_TEXT(r)
#define msr(r, v) MSR_TEXT(r, v)

static inline u64 r64(u64 a) { u64 v; asm volatile("ldr %0, [%1]" : "=r"(v) : "r"(a) : "memory"); return v; }
static inline u32 r32(u64 a) { u32 v; asm volatile("ldr %w0, [%1]" : "=r"(v) : "r"(a) : "memory"); return v; }
static inline u32 r16(u64 a) { u32 v; asm volatile("ldrh %w0, [%1]" : "=r"(v) : "r"(a) : "memory"); return v; }
static inline u32 r8(u64 a) { u32 v; asm volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(a) : "memory"); return v; }
static inline void w64(u64 a, u64 v) { asm volatile("str %0, [%1]" : : "r"(v), "r"(a) : "memory"); }
static inline void w32(u64 a, u32 v) { asm volatile("str %w0, [%1]" : : "r"(v), "r"(a) : "memory"); }
static inline void w16(u64 a, u32 v) { asm volatile("strh %w0, [%1]" : : "r"(v), "r"(a) : "memory"); }
static inline void w8(u64 a, u32 v) { asm volatile("strb %w0, [%1]" : : "r"(v), "r"(a) : "memory"); }

static inline u64 hvc(u64 f, u64 a, u64 b, u64 c)
{
	register u64 x0 asm("x0") = f;
	register u64 x1 asm("x1") = a;
	register u64 x2 asm("x2") = b;
	register u64 x3 asm("x3") = c;
	asm volatile("hvc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

/* The last exception; esr is ~0 if none came since reset_caught(). */
struct { volatile u64 esr, far, vector, pc; } caught;
volatile u64 interrupts;
void second(u64 context);
void main1(u64 context);

static inline void reset_caught(void) { caught.esr = ~0UL; }

#define UART 0x09000000UL
static void put(char c)
{
	while (r32(UART + 0x18) & 0x20) ;
	w32(UART, (u8)c);
}
static void say(const char *s) { while (*s) put(*s++); }
static void hex(u64 v)
{
	say("0x");
	for (int i = 60; i >= 0; i -= 4)
		if (v >> i || !i)
			put("0123456789abcdef"[v >> i & 15]);
}
/* One observation. */
static void is(const char *name, u64 value) { say("= "); say(name); put(' '); hex(value); put('\n'); }
/* One of several observations, told apart by a number. */
static void is_of(const char *name, u64 which, u64 value)
{
	say("= ");
	say(name);
	put(' ');
	hex(which);
	put(' ');
	hex(value);
	put('\n');
}

__attribute__((noreturn)) void off(void)
{
	say("= end 0x0\n");
	hvc(0x84000008, 0, 0, 0);
	for (;;)
		asm volatile("wfi");
}
static inline void wait_us(u64 us)
{
	u64 until = mrs(cntvct_el0) + mrs(cntfrq_el0) / 1000000 * us + 1;

	while (mrs(cntvct_el0) < until) ;
}

/* GICv3 (IHI 0069) */
#define GICD 0x08000000UL
#define GICR(n) (0x080a0000UL + 0x20000UL * (n))
#define SGI(n) (GICR(n) + 0x10000UL)
#define ICC_PMR     S3_0_C4_C6_0
#define ICC_IAR0    S3_0_C12_C8_0
#define ICC_EOIR0   S3_0_C12_C8_1
#define ICC_HPPIR0  S3_0_C12_C8_2
#define ICC_BPR0    S3_0_C12_C8_3
#define ICC_AP0R0   S3_0_C12_C8_4
#define ICC_AP1R0   S3_0_C12_C9_0
#define ICC_DIR     S3_0_C12_C11_1
#define ICC_RPR     S3_0_C12_C11_3
#define ICC_SGI1R   S3_0_C12_C11_5
#define ICC_ASGI1R  S3_0_C12_C11_6
#define ICC_SGI0R   S3_0_C12_C11_7
#define ICC_IAR1    S3_0_C12_C12_0
#define ICC_EOIR1   S3_0_C12_C12_1
#define ICC_HPPIR1  S3_0_C12_C12_2
#define ICC_BPR1    S3_0_C12_C12_3
#define ICC_CTLR    S3_0_C12_C12_4
#define ICC_SRE     S3_0_C12_C12_5
#define ICC_IGRPEN0 S3_0_C12_C12_6
#define ICC_IGRPEN1 S3_0_C12_C12_7

static inline void gic_cpu(u64 n)
{
	w32(GICR(n) + 0x14, 0);                 /* GICR_WAKER */
	while (r32(GICR(n) + 0x14) & 4) ;
	w32(SGI(n) + 0x80, ~0u);                /* group 1 */
	msr(S3_0_C12_C12_5, 7);
	msr(S3_0_C4_C6_0, 0xff);
	msr(S3_0_C12_C12_3, 0);
	msr(S3_0_C12_C12_4, 0);
	msr(S3_0_C12_C12_7, 1);
}

static volatile u64 step;
static inline void reach(u64 n) { asm volatile("dsb sy"); step = n; asm volatile("dsb sy; sev"); }
static inline void await(u64 n) { while (step < n) asm volatile("yield"); }
