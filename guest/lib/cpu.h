/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction each: calls, device accesses, time. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include "lib/types.h"

/* A call as the contract has it: x1 to x3 go in, only x0 comes back changed. */
static inline u64 cpu_hvc(u64 id, u64 a1, u64 a2, u64 a3)
{
	register u64 x0 asm("x0") = id;
	register u64 x1 asm("x1") = a1;
	register u64 x2 asm("x2") = a2;
	register u64 x3 asm("x3") = a3;

	asm volatile("hvc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

static inline u64 cpu_smc(u64 id, u64 a1, u64 a2, u64 a3)
{
	register u64 x0 asm("x0") = id;
	register u64 x1 asm("x1") = a1;
	register u64 x2 asm("x2") = a2;
	register u64 x3 asm("x3") = a3;

	asm volatile("smc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

/*
 * A device access of 1 << log2 bytes. In assembly, since a trap must have a syndrome: no writeback, no pair. A read
 * that is refused leaves `otherwise`.
 */
static inline u64 cpu_read_or(u64 address, unsigned log2, u64 otherwise)
{
	u64 v = otherwise;

	switch (log2) {
	case 0: asm volatile("ldrb %w0, [%1]" : "+r"(v) : "r"(address) : "memory"); break;
	case 1: asm volatile("ldrh %w0, [%1]" : "+r"(v) : "r"(address) : "memory"); break;
	case 2: asm volatile("ldr %w0, [%1]" : "+r"(v) : "r"(address) : "memory"); break;
	default: asm volatile("ldr %0, [%1]" : "+r"(v) : "r"(address) : "memory"); break;
	}
	return v;
}

static inline u64 cpu_read(u64 address, unsigned log2)
{
	return cpu_read_or(address, log2, 0);
}

static inline void cpu_write(u64 address, unsigned log2, u64 v)
{
	switch (log2) {
	case 0: asm volatile("strb %w0, [%1]" : : "r"(v), "r"(address) : "memory"); break;
	case 1: asm volatile("strh %w0, [%1]" : : "r"(v), "r"(address) : "memory"); break;
	case 2: asm volatile("str %w0, [%1]" : : "r"(v), "r"(address) : "memory"); break;
	default: asm volatile("str %0, [%1]" : : "r"(v), "r"(address) : "memory"); break;
	}
}

#define cpu_sysreg(name)                                                        \
	({                                                                      \
		u64 v_;                                                         \
		asm volatile("mrs %0, " #name : "=r"(v_) : : "memory");         \
		v_;                                                             \
	})
#define cpu_set_sysreg(name, value) asm volatile("msr " #name ", %0\n\tisb" : : "r"((u64)(value)) : "memory")

/* The virtual counter; if the policy denies it, the number of calls of this function. */
u64 cpu_ticks(void);
u64 cpu_ticks_per_second(void);
void cpu_wait_us(u64 us);

#endif
