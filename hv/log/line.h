/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the UART line is: what console.c asks of gdb.c, which may have it, and of vuart.c, which gets the input. */
#ifndef HV_LINE_H
#define HV_LINE_H

#include "lib/types.h"

/* True between @E gdb+ and @E gdb-: the line carries packets, records stay in the ring. */
extern bool gdb_active;
/* Text while gdb_active, as O packets: the guest's console and what `monitor COMMAND` prints. */
void gdb_text(const char *s, size_t n);
/* Under the line's lock. A byte for the guest. False: the ring is full; console_input_room() is called when it no longer is. */
bool vuart_receive(u8 byte);
void vuart_break(void);
/* What is to be sent: nothing is left; more than the guest may leave there. Told when one of the two changes. */
void vuart_output(bool empty, bool full);
/* Takes back a byte that a guest without an enabled receiver was sent, or -1: the monitor reads it instead. */
int vuart_unread(void);

#endif
