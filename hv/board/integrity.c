/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that EL2 is as built and booted: its text and constants by the checksum that tools/seal.py put into the image,
 * its translation tables by one that is taken before the guest's first instruction.
 */
#include "board/integrity.h"
#include "board/crc32.h"

extern const char __text_start[], __text_end[], __rodata_start[], __tables_start[], __tables_end[];
extern const char *const image_end;

/* not zero, so that the file has a place for it; volatile, as seal.py changes the value behind the compiler's back */
volatile u32 integrity_image = ~0u;
static u32 sealed; /* linker/hv.ld puts tables into .bss.tables */

static u32 sum(u32 crc, const char *start, const char *end)
{
	return crc32(crc, start, (size_t)end - (size_t)start);
}

/* Sets the low bit, since 0 means: not sealed. */
static u32 tables(void)
{
	return sum(0, __tables_start, __tables_end) | 1;
}

void integrity_seal(void)
{
	sealed = tables();
}

truth integrity_holds(void)
{
	u32 image = sum(sum(0, __text_start, __text_end), __rodata_start, image_end) | 1;

	return !sealed || (sealed == tables() && integrity_image == image);
}
