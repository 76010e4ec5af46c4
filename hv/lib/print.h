/* SPDX-License-Identifier: Apache-2.0 */
/* The formatter behind kprintf() and ksnprintf() of console.h. */
#ifndef HV_PRINT_H
#define HV_PRINT_H

#include <stdarg.h>
#include "lib/types.h"

#define RS 0x1e /* begins a record */
#define US 0x1f /* begins an escaped byte of the guest's */

/* The output of kprintf(): log/console.c. */
void console_raw(const char *s, size_t n);

/* Prints text for people (monitor, panic): %s %c %d %u %x %lx %lu %ld, width and zero padding, %%. Never prints an RS. */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same into a buffer; returns the length of the text (at most size - 1). */
size_t ksnprintf(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
void kvprintf(const char *format, va_list ap);

#endif
