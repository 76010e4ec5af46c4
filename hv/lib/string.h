/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's names for memory and text; compiled with -fno-builtin so that none becomes a call to itself. */
#ifndef HV_STRING_H
#define HV_STRING_H

#include "lib/types.h"

typedef u64 __attribute__((may_alias)) word_t;

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
const char *strstr(const char *s, const char *word);

#endif
