/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/arch/arch.h for a host: the same names, answered by fake.c. Given to the compiler with -include, so that its
 * guards keep the real ones out however they are included.
 */
#ifndef HV_ARCH_H
#define HV_ARCH_H
#define HV_ARCH_CRC32_INSN_H

#include "lib/types.h"

/* System registers by name, in either case; 0 until written. CNTPCT_EL0 rises by fake_step with each read. */
u64 fake_sysreg_read(const char *name);
void fake_sysreg_write(const char *name, u64 value);
extern u64 fake_now, fake_step;

#define sysreg_read(reg)     fake_sysreg_read(#reg)
#define sysreg_write(reg, v) fake_sysreg_write(#reg, (u64)(v))

static inline u64 counter(void)
{
	fake_now += fake_step;
	return fake_now;
}
static inline void barrier(void) {}
static inline void isb(void) {}
static inline void dsb_sy(void) {}
static inline void dsb_ish(void) {}
void wfi(void);

/* AT as the tests define it: fills PAR_EL1. */
void fake_at(u64 va, bool write, bool both_stages);
static inline void at_s1e1r(u64 va) { fake_at(va, false, false); }
static inline void at_s1e1w(u64 va) { fake_at(va, true, false); }
/* An address with bit 45 set is EL1's alone; PSTATE.PAN is "pan". */
#define FAKE_EL1_ONLY BIT(45)
static inline void fake_at_within(u64 va, bool write, bool allowed)
{
	if (allowed)
		fake_at(va, write, false);
	else
		fake_sysreg_write("par_el1", 0xd << 1 | 1);
}
static inline void at_s1e0r(u64 va) { fake_at_within(va, false, !(va & FAKE_EL1_ONLY)); }
static inline void at_s1e0w(u64 va) { fake_at_within(va, true, !(va & FAKE_EL1_ONLY)); }
static inline void at_s1e1rp(u64 va) { fake_at_within(va, false, va & FAKE_EL1_ONLY || !fake_sysreg_read("pan")); }
static inline void at_s1e1wp(u64 va) { fake_at_within(va, true, va & FAKE_EL1_ONLY || !fake_sysreg_read("pan")); }
static inline void at_s12e1r(u64 va) { fake_at(va, false, true); }
static inline void at_s12e1w(u64 va) { fake_at(va, true, true); }

void dc_civac(const void *p);
static inline u64 dcache_line(void) { return 64; }
static inline void dcache_clean_range(const void *from, u64 size)
{
	for (u64 p = (u64)from & ~63UL; size && p < (u64)from + size; p += 64)
		dc_civac((const void *)p);
}
static inline void dc_cvau(const void *p) { (void)p; }
void ic_ialluis(void);
static inline void tlbi_vmalls12e1(void) {}
static inline void tlbi_alle2(void) {}

u64 smc(u64 function, u64 x1, u64 x2, u64 x3);
u32 mmio_read32(u64 pa);
void mmio_write32(u64 pa, u32 v);
u64 mmio_read64(u64 pa);
void mmio_write64(u64 pa, u64 v);
bool guarded_read(u64 pa, unsigned size, u64 *value);
bool guarded_write(u64 pa, unsigned size, u64 value);
u64 replay_read(const char *stub);
void replay_write(const char *stub, u64 value);
void fp_save(u64 v[64]);
void fp_load(unsigned n, const u64 v[2]);
u64 gich_lr_read(unsigned n);
void gich_lr_write(unsigned n, u64 value);

/* Defined by host tests whose CPUs wait for each other. */
__attribute__((weak)) void fake_relax(void);
static inline void relax(void)
{
	if (fake_relax)
		fake_relax();
}

/* By table: the host lacks the instructions. */
static inline bool crc32_present(void) { return false; }
static inline u32 crc32_byte(u32 crc, u8 byte) { return crc ^ byte; }
static inline u32 crc32_word(u32 crc, u64 word) { return crc ^ (u32)word; }

#include "lock.h"

#endif
