/* SPDX-License-Identifier: Apache-2.0 */
/* hv/lib/print.c and hv/board/crc32.c against the C library and known values; see test_text.py. Exit 0: they agree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log/console.h"
#include "board/crc32.h"

static int failed;

/* The same format and arguments to both; into a buffer that is too small as well. */
#define same(...)                                                                           \
	do {                                                                                \
		char ours[128], theirs[128], small[5];                                      \
		size_t n = ksnprintf(ours, sizeof(ours), __VA_ARGS__);                      \
		int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                      \
                                                                                            \
		if (strcmp(ours, theirs) || n != (size_t)m)                                 \
			failed = printf("ours '%s' theirs '%s'\n", ours, theirs);           \
		n = ksnprintf(small, sizeof(small), __VA_ARGS__);                           \
		if (n > 4 || small[n] || strncmp(small, theirs, n) || n < (m < 4 ? (size_t)m : 4)) \
			failed = printf("small '%s' of '%s'\n", small, theirs);             \
	} while (0)

int main(void)
{
	const char *volatile unknown = "%q%d";
	const char *volatile none = NULL;
	char text[8];

	same("plain");
	same("%s|%8s|%-8s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "abc");
	same("%d %d %d %5d|%-5d|%05d", 0, -1, 2147483647, -42, -42, -42);
	same("%u %x %08x %8x|%-8x|", 4294967295u, 0xdeadbeef, 0x1f, 0x1f, 0x1f);
	same("%lu %lx %016lx %ld", ~0UL, ~0UL, 0x1234UL, -9223372036854775807L - 1);
	same("%zu %c%c %% %*s|%-*s|", (size_t)7, 'a', 'b', 5, "x", 5, "x");
	same("%03u %3u %0*lx", 7u, 7u, 8, 0x12UL);
	if (ksnprintf(text, sizeof(text), unknown, 1) != 3 || strcmp(text, "%q1"))
		failed = printf("a conversion that there is not: '%s'\n", text);
	if (ksnprintf(text, sizeof(text), "%s", none) != 6 || strcmp(text, "(null)"))
		failed = printf("no text at all: '%s'\n", text);
	if (ksnprintf(text, 0, "abc") || ksnprintf(text, 1, "abc") || text[0])
		failed = printf("sizes 0 and 1\n");
	if (crc32(0, "123456789", 9) != 0xcbf43926 || crc32(crc32(0, "1234", 4), "56789", 5) != 0xcbf43926)
		failed = printf("crc\n");
	if (failed)
		return 1;
	kprintf("line\n%s|%d\n", "a\x1e@D\x1f" "b\n", 5); /* no RS, no US, CR before each LF: test_text.py checks */
	return 0;
}
