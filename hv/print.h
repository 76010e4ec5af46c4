/* SPDX-License-Identifier: Apache-2.0 */
/* The formatter behind kprintf() and ksnprintf() of console.h. */
#ifndef HV_PRINT_H
#define HV_PRINT_H

#include <stdarg.h>
#include "console.h"

void kvprintf(const char *format, va_list ap);

#endif
