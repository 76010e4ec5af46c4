/* SPDX-License-Identifier: Apache-2.0 */
/* The four functions that GCC may call, and a few for text. Words where both ends are aligned, else bytes. */
#include "lib/string.h"

/* GCC would turn the loop in memset into a call of memset. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

#define WORD sizeof(u64)

static inline bool aligned(const void *a, const void *b)
{
	return !(((u64)a | (u64)b) & (WORD - 1));
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	u8 *d = to;
	const u8 *s = from;

	if (aligned(d, s)) {
		for (; n >= 4 * WORD; n -= 4 * WORD, d += 4 * WORD, s += 4 * WORD) {
			word_t a = ((const word_t *)s)[0], b = ((const word_t *)s)[1];
			word_t e = ((const word_t *)s)[2], f = ((const word_t *)s)[3];

			((word_t *)d)[0] = a;
			((word_t *)d)[1] = b;
			((word_t *)d)[2] = e;
			((word_t *)d)[3] = f;
		}
		for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
			*(word_t *)d = *(const word_t *)s;
	}
	while (n--)
		*d++ = *s++;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	u8 *d = to;
	const u8 *s = from;

	if (d <= s || d >= s + n)
		while (n--)
			*d++ = *s++;
	else
		while (n--)
			d[n] = s[n];
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	u8 *d = to;
	u64 word = (u8)byte * 0x0101010101010101UL;

	for (; n && (u64)d & (WORD - 1); n--)
		*d++ = (u8)byte;
	for (; n >= WORD; n -= WORD, d += WORD)
		*(word_t *)d = word;
	while (n--)
		*d++ = (u8)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; a++, b++, n--)
		;
	return n ? (u8)*a - (u8)*b : 0;
}

const char *strstr(const char *s, const char *word)
{
	size_t n = strlen(word);

	for (; *s; s++)
		if (!strncmp(s, word, n))
			return s;
	return n ? NULL : s;
}
