/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner of the UART line: what console.c needs of gdb.c, which may take the line, and of vuart.c, which gets its
 * input.
 */
#ifndef HV_LINE_H
#define HV_LINE_H

#include "lib/types.h"

/* True between @E gdb+ and @E gdb-: the line carries packets, and records stay in the ring. */
extern bool gdb_active;
/* Sends text as O packets while gdb_active: the guest's console, and the output of `monitor COMMAND`. */
void gdb_text(const char *s, size_t n);
/*
 * A byte for the guest, under the line's lock. False: its ring is full; console_input_room() is called when there is
 * room.
 */
bool vuart_receive(u8 byte);
void vuart_break(void);
/* State of the output ring, called on a change: it is empty; it is full for the guest. */
void vuart_output(bool empty, bool full);
/* Takes back a byte that was sent to a guest without an enabled receiver, for the monitor to read; -1: none. */
int vuart_unread(void);

#endif
