/* SPDX-License-Identifier: Apache-2.0 */
/* hv/lib/string.c under other names against the C library; see test_text.py. Exit 0: they agree. */
#include <stdlib.h>
#include "lib/types.h"

#define memcpy  hv_memcpy
#define memmove hv_memmove
#define memset  hv_memset
#define memcmp  hv_memcmp
#define strlen  hv_strlen
#define strcmp  hv_strcmp
#define strncmp hv_strncmp
#define strstr  hv_strstr
#include "../../hv/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp
#undef strstr
#include <string.h>

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void blocks(unsigned seed)
{
	unsigned char a[64], b[64], c[64];
	size_t to, from, n;

	srand(seed);
	for (unsigned i = 0; i < sizeof(a); i++)
		a[i] = b[i] = (unsigned char)(rand() % 3);
	to = (size_t)rand() % 32;
	from = (size_t)rand() % 32;
	n = (size_t)rand() % 33;
	if (hv_memmove(a + to, a + from, n) != a + to || memmove(b + to, b + from, n) != b + to || memcmp(a, b, 64))
		exit(1);
	memcpy(c, a, 64);
	hv_memcpy(c + to, b + from, n);
	memcpy(a + to, b + from, n);
	if (memcmp(a, c, 64) || sign(hv_memcmp(a, b, n)) != sign(memcmp(a, b, n)))
		exit(2);
	hv_memset(a + to, (int)seed, n);
	memset(c + to, (int)seed, n);
	if (memcmp(a, c, 64))
		exit(3);
}

static void words(unsigned seed)
{
	char a[12] = "", b[12] = "";
	size_t n;

	srand(seed);
	for (unsigned i = (unsigned)rand() % 11; i; i--)
		strcat(a, rand() % 2 ? "a" : "\xff");
	for (unsigned i = (unsigned)rand() % 4; i; i--)
		strcat(b, rand() % 2 ? "a" : "\xff");
	n = (size_t)rand() % 6;
	if (hv_strlen(a) != strlen(a) || sign(hv_strcmp(a, b)) != sign(strcmp(a, b)) ||
	    sign(hv_strncmp(a, b, n)) != sign(strncmp(a, b, n)) || hv_strstr(a, b) != strstr(a, b))
		exit(4);
}

int main(void)
{
	for (unsigned seed = 0; seed < 20000; seed++) {
		blocks(seed);
		words(seed);
	}
	return 0;
}
