/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether EL2 is still what was built and booted: text and constants against the checksum that tools/seal.py put into the
 * image, translation tables against one that is taken before the guest's first instruction.
 */
#include "board/integrity.h"
#include "board/crc32.h"

extern const char __text_start[], __text_end[], __rodata_start[], __tables_start[], __tables_end[];
extern const char *const image_end;

/* Not zero, so that it has a place in the file; volatile, because the compiler's idea of its value is wrong. */
volatile u32 integrity_image = ~0u;
static u32 sealed; /* .bss.tables is where tables go (linker/hv.ld) */

static u32 sum(u32 crc, const char *start, const char *end)
{
	return crc32(crc, start, (size_t)end - (size_t)start);
}

/* The low bit is set, since 0 means: not sealed. */
static u32 tables(void)
{
	return sum(0, __tables_start, __tables_end) | 1;
}

void integrity_seal(void)
{
	sealed = tables();
}

bool integrity_holds(void)
{
	u32 image = sum(sum(0, __text_start, __text_end), __rodata_start, image_end) | 1;

	return !sealed || (sealed == tables() && integrity_image == image);
}
