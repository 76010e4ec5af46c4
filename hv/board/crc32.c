/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 (IEEE 802.3), by instruction if the CPU has it, else half a byte at a time. */
#include "board/crc32.h"
#include "arch/crc32_insn.h"

static const u32 table[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

static u32 by_table(u32 crc, const u8 *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

static u32 by_instruction(u32 crc, const u8 *p, size_t n)
{
	for (; n && (u64)p & 7; n--)
		crc = crc32_byte(crc, *p++);
	for (; n >= 64; n -= 64, p += 64) { /* unrolled: the loop costs as much as the sum */
		const u64 __attribute__((may_alias)) *w = (const u64 __attribute__((may_alias)) *)p;

		crc = crc32_word(crc32_word(crc32_word(crc32_word(crc, w[0]), w[1]), w[2]), w[3]);
		crc = crc32_word(crc32_word(crc32_word(crc32_word(crc, w[4]), w[5]), w[6]), w[7]);
	}
	for (; n >= 8; n -= 8, p += 8)
		crc = crc32_word(crc, *(const u64 __attribute__((may_alias)) *)p);
	while (n--)
		crc = crc32_byte(crc, *p++);
	return crc;
}

u32 crc32(u32 crc, const void *p, size_t n)
{
	return ~(crc32_present() ? by_instruction(~crc, p, n) : by_table(~crc, p, n));
}
