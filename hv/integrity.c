/* SPDX-License-Identifier: Apache-2.0 */
/* Whether EL2 is still what was booted: a checksum taken before the guest's first instruction. */
#include "integrity.h"
#include "crc32.h"

extern const char __text_start[], __rodata_end[], __tables_start[], __tables_end[];

static u32 sealed;

static u32 sum(void)
{
	u32 crc = crc32(0, __text_start, (size_t)__rodata_end - (size_t)__text_start);

	return crc32(crc, __tables_start, (size_t)__tables_end - (size_t)__tables_start) | 1; /* 0: not sealed */
}

void integrity_seal(void)
{
	sealed = sum();
}

bool integrity_holds(void)
{
	return !sealed || sealed == sum();
}
