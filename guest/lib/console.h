/* SPDX-License-Identifier: Apache-2.0 */
/* Whole lines of text, by HV_CONSOLE_WRITE if the policy grants it, else through the PL011. */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>

#include "lib/types.h"

/* One line; "%s %lu %lx %u %x", as printf has them. */
void console_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "PASS: subject: ..." */
void console_sentence(const char *verdict, const char *subject, const char *format, va_list args);

/* A list of words that grows, for a sentence of check.h: "1: constant, 2: constant". */
struct console_list {
	char text[100];
	u32 used;
};
void console_list_add(struct console_list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
