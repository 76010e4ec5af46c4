/* SPDX-License-Identifier: Apache-2.0 */
/* The formatter behind kprintf() and ksnprintf() of console.h. */
#ifndef HV_PRINT_H
#define HV_PRINT_H

#include <stdarg.h>
#include "lib/types.h"

/* Where text for people goes: console.c. */
void console_raw(const char *s, size_t n);

/* Text for people (monitor, panic): %s %c %d %u %x %lx %lu %ld, width and zero padding, %%. No RS can get through. */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same into a buffer; returns the length it has (never more than size - 1). */
size_t ksnprintf(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
void kvprintf(const char *format, va_list ap);

#endif
