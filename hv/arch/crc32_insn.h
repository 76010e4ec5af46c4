/* SPDX-License-Identifier: Apache-2.0 */
/* The CRC32 instructions of Armv8.0 (FEAT_CRC32, optional). Host builds have tests/host/fake/arch/arch.h. */
#ifndef HV_ARCH_CRC32_INSN_H
#define HV_ARCH_CRC32_INSN_H

#include "arch/arch.h"

static inline bool crc32_present(void)
{
	return FIELD(sysreg_read(id_aa64isar0_el1), 19, 16) != 0;
}
static inline u32 crc32_byte(u32 crc, u8 byte)
{
	asm(".arch_extension crc\n\tcrc32b %w0, %w0, %w1" : "+r"(crc) : "r"(byte));
	return crc;
}
static inline u32 crc32_word(u32 crc, u64 word)
{
	asm(".arch_extension crc\n\tcrc32x %w0, %w0, %x1" : "+r"(crc) : "r"(word));
	return crc;
}

#endif
