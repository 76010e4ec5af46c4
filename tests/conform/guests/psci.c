/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI 1.1 and SMCCC 1.1 by HVC (DEN 0022, DEN 0028): every function, ends of its arguments, both widths. */
#include "lib.h"

#define UP   0xdeadbeef00000000UL
#define F32  0x84000000UL
#define F64  0xc4000000UL

static volatile u64 ran, context;

void main1(u64 x0)
{
	context = x0;
	ran = 1;
	while (ran != 2) ;
	hvc(0x84000002, 0, 0, 0);
}

static void call(const char *name, u64 function, u64 a, u64 b, u64 c)
{
	is(name, hvc(function, a, b, c));
}

static void on(const char *name, u64 function, u64 target, u64 entry, u64 x3)
{
	u64 result = hvc(function, target, entry, x3);

	is(name, result);
	if (result) /* this CPU must run nevertheless */
		hvc(F64 + 3, 1, (u64)second, (u32)x3);
	for (int i = 0; i < 3000 && !ran; i++)
		wait_us(1000);
	is("  it runs", ran);
	is("  x0", result ? (u32)context : context);
}

static void stopped(void)
{
	ran = 2;
	for (int i = 0; i < 3000 && hvc(F64 + 4, 1, 0, 0) == 0; i++)
		wait_us(1000);
	ran = 0;
}

static u64 keeps(u64 f)
{
	register u64 x0 asm("x0") = f;
	register u64 x1 asm("x1") = 1;
	register u64 x4 asm("x4") = 4;
	register u64 x8 asm("x8") = 8;
	register u64 x17 asm("x17") = 17;
	register u64 x18 asm("x18") = 18;
	asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x4), "+r"(x8), "+r"(x17), "+r"(x18) : : "memory");
	return x1 == 1 && x4 == 4 && x8 == 8 && x17 == 17 && x18 == 18;
}

void main(void)
{
	static const u64 affinity[] = { 0, 1, 2, 0xff, 0x100, 0x101, 0x10000, 0x1000000, 0x80000000, 1UL << 32, 1UL << 40, ~0UL };

	call("PSCI_VERSION", F32, 0, 0, 0);
	call("PSCI_VERSION, arguments", F32, ~0UL, ~0UL, ~0UL);
	call("PSCI_VERSION, upper half of x0", UP | F32, 0, 0, 0);
	call("SMC64 form of PSCI_VERSION", F64, 0, 0, 0);
	for (u64 f = 0; f < 0x20; f++) {
		is_of("PSCI_FEATURES of", F32 + f, hvc(F32 + 10, F32 + f, 0, 0));
		is_of("PSCI_FEATURES of", F64 + f, hvc(F32 + 10, F64 + f, 0, 0));
	}
	call("PSCI_FEATURES of 0", F32 + 10, 0, 0, 0);
	call("PSCI_FEATURES of SMCCC_VERSION", F32 + 10, 0x80000000, 0, 0);
	call("PSCI_FEATURES of SMCCC_ARCH_FEATURES", F32 + 10, 0x80000001, 0, 0);
	call("PSCI_FEATURES, upper half set", F32 + 10, UP | F32, 0, 0);
	call("PSCI_FEATURES, 64 bits", F64 + 10, F32, 0, 0);
	call("MIGRATE_INFO_TYPE", F32 + 6, 0, 0, 0);
	/* Functions that PSCI_FEATURES denies are NOT_SUPPORTED when called. */
	for (u64 f = 0; f < 0x20; f++)
		for (u64 base = F32; base <= F64; base += F64 - F32)
			if ((s64)hvc(F32 + 10, base + f, 0, 0) < 0)
				is_of("not there, called:", base + f, hvc(base + f, 0, 0, 0));
	for (u64 level = 0; level < 5; level++)
		for (unsigned i = 0; i < sizeof(affinity) / sizeof(*affinity); i++) {
			is_of("AFFINITY_INFO, 32 bits, level and number", level << 12 | i, hvc(F32 + 4, affinity[i], level, 0));
			is_of("AFFINITY_INFO, 64 bits, level and number", level << 12 | i, hvc(F64 + 4, affinity[i], level, 0));
		}
	call("AFFINITY_INFO, 32 bits, upper halves", F32 + 4, UP | 1, UP, 0);
	call("AFFINITY_INFO, 64 bits, upper half", F64 + 4, UP, 0, 0);
	call("CPU_ON of this CPU", F64 + 3, 0, (u64)second, 0);
	call("CPU_ON of no CPU", F64 + 3, 0x80, (u64)second, 0);
	call("CPU_ON, 32 bits, of no CPU", F32 + 3, 0x80, (u64)second, 0);
	on("CPU_ON, 32 bits", F32 + 3, 1, (u64)second, 0x12345678);
	call("CPU_ON of a CPU that is on", F64 + 3, 1, (u64)second, 0);
	call("AFFINITY_INFO of a CPU that is on", F64 + 4, 1, 0, 0);
	stopped();
	call("AFFINITY_INFO of a CPU that is off", F64 + 4, 1, 0, 0);
	on("CPU_ON, 32 bits, upper halves set", F32 + 3, UP | 1, UP | (u64)second, UP | 5);
	stopped();
	on("CPU_ON, 64 bits", F64 + 3, 1, (u64)second, UP | 7);
	stopped();
	/* CPU_SUSPEND with an interrupt pending comes back at once. */
	w32(GICD, 0x12);
	gic_cpu(0);
	w32(SGI(0) + 0x100, 2);
	msr(S3_0_C12_C11_5, 1 | 1UL << 24);
	call("CPU_SUSPEND, standby", F32 + 1, 0, 0, 0);
	call("CPU_SUSPEND, standby, 64 bits", F64 + 1, UP, 0, 0);
	call("CPU_SUSPEND, power down", F64 + 1, 0x10000, (u64)second, 7);
	for (u64 bit = 17; bit < 32; bit++)
		is_of("CPU_SUSPEND, power_state", 1UL << bit, hvc(F64 + 1, 1UL << bit, (u64)second, 7));
	call("SMCCC_VERSION", 0x80000000, 0, 0, 0);
	call("SMCCC_ARCH_FEATURES of SMCCC_VERSION", 0x80000001, 0x80000000, 0, 0);
	call("SMCCC_ARCH_FEATURES of a workaround", 0x80000001, 0x80008000, 0, 0);
	call("an SMCCC function that there is not", 0x8400ffff, 0, 0, 0);
	call("an Arm Architecture function that there is not", 0x80007ffe, 0, 0, 0);
	is("a call that is there keeps registers", keeps(F32));
	is("a call that is not there keeps registers", keeps(0xc600ffff));
	off();
}
