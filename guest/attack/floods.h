/* SPDX-License-Identifier: Apache-2.0 */
/* The attacks that last: which one, the operator's key says. */
#ifndef GUEST_FLOODS_H
#define GUEST_FLOODS_H

void floods(void) __attribute__((noreturn));

#endif
