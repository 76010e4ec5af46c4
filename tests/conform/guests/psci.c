/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI 1.1 and SMCCC 1.1 by HVC (DEN 0022, DEN 0028): every function, ends of its arguments, both widths. */
#include "lib.h"

#define UP 0xdeadbeef00000000UL

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

void main(void)
{
	static const u64 affinity[] = { 0, 1, 2, 0x100, 0x10000, 0x1000000, 0x80000000, ~0UL };

	call("PSCI_VERSION", 0x84000000, 0, 0, 0);
	call("PSCI_VERSION, arguments", 0x84000000, ~0UL, ~0UL, ~0UL);
	call("SMC64 form of PSCI_VERSION", 0xc4000000, 0, 0, 0);
	for (u64 f = 0; f < 0x20; f++) {
		is("PSCI_FEATURES of 0x84000000 + n", hvc(0x8400000a, 0x84000000 + f, 0, 0));
		is("PSCI_FEATURES of 0xc4000000 + n", hvc(0x8400000a, 0xc4000000 + f, 0, 0));
	}
	call("PSCI_FEATURES of SMCCC_VERSION", 0x8400000a, 0x80000000, 0, 0);
	call("PSCI_FEATURES, upper half set", 0x8400000a, UP | 0x84000000, 0, 0);
	call("PSCI_FEATURES, 64 bits", 0xc400000a, 0x84000000, 0, 0);
	call("MIGRATE_INFO_TYPE", 0x84000006, 0, 0, 0);
	call("MIGRATE_INFO_UP_CPU", 0x84000007, 0, 0, 0);
	call("MIGRATE_INFO_UP_CPU, 64", 0xc4000007, 0, 0, 0);
	call("MIGRATE", 0x84000005, 0, 0, 0);
	for (u64 level = 0; level < 5; level++)
		for (unsigned i = 0; i < sizeof(affinity) / sizeof(*affinity); i++) {
			is("AFFINITY_INFO, 32 bits", hvc(0x84000004, affinity[i], level, 0));
			is("AFFINITY_INFO, 64 bits", hvc(0xc4000004, affinity[i], level, 0));
		}
	call("AFFINITY_INFO, 32 bits, upper halves", 0x84000004, UP, UP, 0);
	call("AFFINITY_INFO, 64 bits, upper halves", 0xc4000004, UP, 0, 0);
	call("CPU_ON of this CPU", 0xc4000003, 0, (u64)second, 0);
	call("CPU_ON of no CPU", 0xc4000003, 0x80, (u64)second, 0);
	call("CPU_ON, 32 bits, of no CPU", 0x84000003, 0x80, (u64)second, 0);
	call("CPU_ON, 32 bits, upper halves set", 0x84000003, UP | 1, UP | (u64)second, UP | 5);
	for (int i = 0; i < 1000 && !ran; i++)
		wait_us(1000);
	is("CPU 1 ran", ran);
	is("CPU 1's x0", context);
	call("CPU_ON again", 0xc4000003, 1, (u64)second, 0);
	call("AFFINITY_INFO of a CPU that is on", 0xc4000004, 1, 0, 0);
	ran = 2;
	for (int i = 0; i < 1000 && hvc(0xc4000004, 1, 0, 0) == 0; i++)
		wait_us(1000);
	call("AFFINITY_INFO of a CPU that is off", 0xc4000004, 1, 0, 0);
	ran = 0;
	call("CPU_ON, 64 bits", 0xc4000003, 1, (u64)second, UP | 7);
	for (int i = 0; i < 1000 && !ran; i++)
		wait_us(1000);
	is("CPU 1's x0, 64 bits", context);
	call("an SMCCC function that there is not", 0x8400ffff, 0, 0, 0);
	call("an Arm Architecture function that there is not", 0x80007ffe, 0, 0, 0);
	off();
}
