/* SPDX-License-Identifier: Apache-2.0 */
/* Endless attacks, chosen by the operator's key. */
#ifndef GUEST_FLOODS_H
#define GUEST_FLOODS_H

void floods(void) __attribute__((noreturn));

#endif
