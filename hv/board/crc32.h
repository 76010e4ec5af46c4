/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 (IEEE 802.3, as zlib.crc32). */
#ifndef HV_CRC32_H
#define HV_CRC32_H

#include "lib/types.h"

/* CRC of `n` bytes at `p`; `crc` is 0 to begin with, or the result for the bytes before. */
u32 crc32(u32 crc, const void *p, size_t n);

#endif
