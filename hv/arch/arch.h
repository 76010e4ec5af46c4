/* SPDX-License-Identifier: Apache-2.0 */
/* Every line of inline assembly in EL2. tests/host/fake/arch/arch.h has the same names for a host build. */
#ifndef HV_ARCH_H
#define HV_ARCH_H

#include "lib/types.h"

#define SPELL_(reg) #reg
#define SPELL(reg)  SPELL_(reg) /* expands macro names before they are joined */
#define sysreg_read(reg)                                             \
	({                                                           \
		u64 value_;                                          \
		asm volatile("mrs %0, " SPELL(reg) : "=r"(value_));  \
		value_;                                              \
	})
#define sysreg_write(reg, v) asm volatile("msr " SPELL(reg) ", %x0" : : "rZ"((u64)(v)) : "memory")

/* Names that binutils before 2.41 knows only with an -march of their own. */
#define ZCR_EL2        S3_4_C1_C2_0
#define SMCR_EL2       S3_4_C1_C2_6

static inline void isb(void)
{
	asm volatile("isb" : : : "memory");
}
static inline void dsb_sy(void)
{
	asm volatile("dsb sy" : : : "memory");
}
static inline void dsb_ish(void)
{
	asm volatile("dsb ish" : : : "memory");
}
static inline void wfi(void)
{
	asm volatile("dsb sy; wfi" : : : "memory");
}
/* Unmasks FIQ, EL2's timer; one that is pending comes at once. */
static inline void fiq_mask(void)
{
	asm volatile("msr daifset, #1" : : : "memory");
}
static inline void fiq_unmask(void)
{
	asm volatile("msr daifclr, #1" : : : "memory");
}
/* Memory is read and written again after it. */
static inline void barrier(void)
{
	asm volatile("" : : : "memory");
}
static inline u64 counter(void)
{
	return sysreg_read(cntpct_el0);
}

/* Stage 1 translation of the guest's EL1&0 regime; the result is in PAR_EL1. */
static inline void at_s1e1r(u64 va)
{
	asm volatile("at s1e1r, %0; isb" : : "r"(va) : "memory");
}
static inline void at_s1e1w(u64 va)
{
	asm volatile("at s1e1w, %0; isb" : : "r"(va) : "memory");
}
static inline void at_s1e0r(u64 va)
{
	asm volatile("at s1e0r, %0; isb" : : "r"(va) : "memory");
}
static inline void at_s1e0w(u64 va)
{
	asm volatile("at s1e0w, %0; isb" : : "r"(va) : "memory");
}
/* AT S1E1RP and S1E1WP, of FEAT_PAN2, heed PSTATE.PAN, which no exception to EL2 changes. */
static inline void at_s1e1rp(u64 va)
{
	asm volatile("sys #0, c7, c9, #0, %0; isb" : : "r"(va) : "memory");
}
static inline void at_s1e1wp(u64 va)
{
	asm volatile("sys #0, c7, c9, #1, %0; isb" : : "r"(va) : "memory");
}
static inline void at_s12e1r(u64 va)
{
	asm volatile("at s12e1r, %0; isb" : : "r"(va) : "memory");
}
static inline void at_s12e1w(u64 va)
{
	asm volatile("at s12e1w, %0; isb" : : "r"(va) : "memory");
}

static inline void dc_ivac(const void *p)
{
	asm volatile("dc ivac, %0" : : "r"(p) : "memory");
}
static inline void dc_civac(const void *p)
{
	asm volatile("dc civac, %0" : : "r"(p) : "memory");
}
static inline void dc_cvau(const void *p)
{
	asm volatile("dc cvau, %0" : : "r"(p) : "memory");
}
/* Line size of the smallest data cache in bytes; CTR_EL0.DminLine counts words. */
static inline u64 dcache_line(void)
{
	return 4UL << FIELD(sysreg_read(ctr_el0), 19, 16);
}
/* Each line of [from, from + size). A DSB completes it. */
static inline void dcache_clean_range(const void *from, u64 size)
{
	u64 line = dcache_line();

	for (u64 p = (u64)from & ~(line - 1); size && p < (u64)from + size; p += line)
		dc_civac((const void *)p);
}
static inline void ic_ialluis(void)
{
	asm volatile("ic ialluis; dsb ish; isb" : : : "memory");
}
static inline void tlbi_vmalls12e1(void)
{
	asm volatile("dsb ishst; tlbi vmalls12e1is; dsb ish; isb" : : : "memory");
}
static inline void tlbi_alle2(void)
{
	asm volatile("dsb ishst; tlbi alle2; dsb ish; isb" : : : "memory");
}

/* SMC to the firmware (QEMU's PSCI). SMCCC: x1 to x17 may be lost. */
static inline u64 smc(u64 function, u64 x1, u64 x2, u64 x3)
{
	register u64 r0 asm("x0") = function;
	register u64 r1 asm("x1") = x1;
	register u64 r2 asm("x2") = x2;
	register u64 r3 asm("x3") = x3;

	asm volatile("smc #0"
		     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
		     :
		     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
		       "memory");
	return r0;
}

static inline u32 mmio_read32(u64 pa)
{
	u32 v;

	asm volatile("ldr %w0, %1" : "=r"(v) : "Q"(*(const volatile u32 *)pa));
	return v;
}
static inline void mmio_write32(u64 pa, u32 v)
{
	asm volatile("str %w1, %0" : "=Q"(*(volatile u32 *)pa) : "rZ"(v));
}
static inline u64 mmio_read64(u64 pa)
{
	u64 v;

	asm volatile("ldr %0, %1" : "=r"(v) : "Q"(*(const volatile u64 *)pa));
	return v;
}
static inline void mmio_write64(u64 pa, u64 v)
{
	asm volatile("str %x1, %0" : "=Q"(*(volatile u64 *)pa) : "rZ"(v));
}

/* guarded.S: a device access that may fault. Size is 1, 2, 4 or 8. False: the device answered with an abort. */
bool guarded_read(u64 pa, unsigned size, u64 *value);
bool guarded_write(u64 pa, unsigned size, u64 value);

/* Calls a replay stub (policy_replay): `mrs x0, REG; ret` or `msr REG, x0; ret`. */
static inline u64 replay_read(const char *stub)
{
	return ((u64 (*)(u64))stub)(0); /* reads as 0 when QEMU treats the register as a NOP (MDCCINT_EL1) */
}
static inline void replay_write(const char *stub, u64 value)
{
	((void (*)(u64))(stub + 8))(value);
}

/* A pause while polling for another CPU's store. */
static inline void relax(void)
{
	asm volatile("yield" : : : "memory");
}

/* fpregs.S: V0 to V31, lower halves first; and Vn alone, as a load leaves it. CPTR_EL2 must not trap. */
void fp_save(u64 v[64]);
void fp_load(unsigned n, const u64 v[2]);

u64 gich_lr_read(unsigned n);
void gich_lr_write(unsigned n, u64 value);

#endif
