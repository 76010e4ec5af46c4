/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores that have a syndrome (Arm ARM, "ISS encoding for an exception from a Data Abort"), to each device. */
#include "lib.h"

void main1(u64 context) { (void)context; }

#define OLD 0x1122334455667788UL
#define LOAD(name, insn, address) do { \
	register u64 value asm("x9") = OLD; \
	register u64 at asm("x10") = address; \
	reset_caught(); \
	asm volatile(insn : "+r"(value) : "r"(at) : "memory"); \
	u64 got = value, esr = caught.esr; \
	is_of(name, address, got); \
	if (esr != ~0UL) \
		is_of("  abort", address, esr); \
} while (0)
#define STORE(name, insn, address, what) do { \
	register u64 value asm("x9") = what; \
	register u64 at asm("x10") = address; \
	reset_caught(); \
	asm volatile(insn : : "r"(value), "r"(at) : "memory"); \
	u64 esr = caught.esr; \
	is_of(name, address, r32((address) & ~3UL)); \
	if (esr != ~0UL) \
		is_of("  abort", address, esr); \
} while (0)

static void loads(u64 a)
{
	LOAD("LDR W", "ldr w9, [x10]", a);
	LOAD("LDRH", "ldrh w9, [x10]", a);
	LOAD("LDRB", "ldrb w9, [x10]", a);
	LOAD("LDRSB X", "ldrsb x9, [x10]", a);
	LOAD("LDRSB W", "ldrsb w9, [x10]", a);
	LOAD("LDRSH X", "ldrsh x9, [x10]", a);
	LOAD("LDRSH W", "ldrsh w9, [x10]", a);
	LOAD("LDRSW", "ldrsw x9, [x10]", a);
	LOAD("LDUR W", "ldur w9, [x10, #0]", a);
	LOAD("LDTR W", "ldtr w9, [x10]", a);
	LOAD("LDAR W", "ldar w9, [x10]", a);
	LOAD("LDARB", "ldarb w9, [x10]", a);
	LOAD("LDARH", "ldarh w9, [x10]", a);
	LOAD("LDR W, register offset", "ldr w9, [x10, xzr]", a);
	LOAD("LDR WZR", "ldr wzr, [x10]", a);
	LOAD("PRFM", "prfm pldl1keep, [x10]", a);
	if (a % 8 == 0)
		LOAD("LDR X", "ldr x9, [x10]", a);
}

void main(void)
{
	static const u64 places[] = {
		GICD + 4, GICD + 0x84, GICD + 0x104, GICD + 0x420, GICD + 0xc08, GICD + 0xffe8, GICR(0) + 8, GICR(0) + 0xffe8,
		SGI(0) + 0x80, SGI(0) + 0x100, SGI(0) + 0x400, UART + 0xfe0, UART + 0xffc, UART + 0x30, UART + 0x34,
		0x09010fe0, 0x09010ffc, 0x0901000c, 0x09010010, 0x0a000000, 0x0a000004, 0x0a000008, 0x0a000100,
	};

	w32(GICD, 0x12);
	gic_cpu(0);
	w32(GICD + 0x84, 0x00ff0080);
	w32(GICD + 0x420, 0x80a0c0e0);
	w32(SGI(0) + 0x400, 0x80a0c0e0);
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
		loads(places[i]);
	/* Registers of 64 bits */
	LOAD("LDR X", "ldr x9, [x10]", GICD + 0x6000 + 8 * 40);
	LOAD("LDAR X", "ldar x9, [x10]", GICR(0) + 8);
	LOAD("LDUR X", "ldur x9, [x10]", GICR(0) + 8);
	STORE("STR X", "str x9, [x10]", GICD + 0x6000 + 8 * 40, 0x0000000080000000);
	STORE("STR XZR", "str xzr, [x10]", GICD + 0x6000 + 8 * 40, 0);
	/* Stores */
	STORE("STR W", "str w9, [x10]", GICD + 0x424, OLD);
	STORE("STRB", "strb w9, [x10]", GICD + 0x425, 0xd0);
	STORE("STUR W", "stur w9, [x10]", GICD + 0x424, 0x10203040);
	STORE("STTR W", "sttr w9, [x10]", GICD + 0x424, 0x50607080);
	STORE("STLR W", "stlr w9, [x10]", GICD + 0x424, 0x90a0b0c0);
	STORE("STLRB", "stlrb w9, [x10]", GICD + 0x427, 0x30);
	STORE("STR WZR", "str wzr, [x10]", GICD + 0x424, 0);
	STORE("STR W", "str w9, [x10]", UART + 0x34, 0x1a);
	STORE("STRH", "strh w9, [x10]", UART + 0x34, 0x12);
	STORE("STRB", "strb w9, [x10]", UART + 0x34, 0x0a);
	STORE("STR W", "str w9, [x10]", 0x09010010, 1);
	STORE("STRB", "strb w9, [x10]", 0x09010010, 0);
	w32(UART + 0x34, 0x12);
	/* Addresses without a device */
	reset_caught();
	(void)r32(0x0b000000);
	is("a load where nothing is", caught.esr);
	is("  FAR_EL1", caught.far);
	reset_caught();
	w32(0x0b000000, 1);
	is("a store where nothing is", caught.esr);
	off();
}
