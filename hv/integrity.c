/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether EL2 is still what was built and booted: text and constants against the checksum that tools/seal.py put into the
 * image, translation tables against one that is taken before the guest's first instruction.
 */
#include "integrity.h"
#include "crc32.h"

extern const char __text_start[], __rodata_end[], __tables_start[], __tables_end[];

/* Not zero, so that it has a place in the file; volatile, because the compiler's idea of its value is wrong. */
volatile u32 integrity_image = ~0u;
static u32 sealed; /* .bss.tables is where tables go (linker/hv.ld) */

static u32 sum(const char *start, const char *end)
{
	return crc32(0, start, (size_t)end - (size_t)start) | 1; /* 0: not sealed */
}

void integrity_seal(void)
{
	sealed = sum(__tables_start, __tables_end);
}

bool integrity_holds(void)
{
	return !sealed || (sealed == sum(__tables_start, __tables_end) && integrity_image == sum(__text_start, __rodata_end));
}
