/* SPDX-License-Identifier: Apache-2.0 */
/* Integer types, and a few compiler attributes. */
#ifndef HV_TYPES_H
#define HV_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;
/* 0 or 1, of functions with many callers: of a bool AAPCS64 leaves the upper bits undefined, and each would clear them. */
typedef int truth;

#define BIT(n)        (1UL << (n))
#define FIELD(v, hi, lo) (((v) >> (lo)) & ((1UL << ((hi) - (lo) + 1)) - 1))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* From a list of rows X(ENUMERATOR, "word", ...): the enumerators; a table of words by enumerator. */
#define AS_ENUMERATOR(name, ...) name,
#define AS_WORD(name, word, ...) [name] = (word),
#define likely(x)     __builtin_expect(!!(x), 1)
#define unlikely(x)   __builtin_expect(!!(x), 0)
/* Smaller rather than faster: what runs once, or what a guest does seldom, in a file that is made fast. */
#define COLD          __attribute__((cold))

#endif
