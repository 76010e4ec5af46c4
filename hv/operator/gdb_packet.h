/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of gdb's remote protocol: $data#checksum, acknowledgements, hexadecimal and escaped bytes. Pure. */
#ifndef HV_GDB_PACKET_H
#define HV_GDB_PACKET_H

#include "lib/types.h"

#define GDB_PACKET 1100 /* bytes of data, with room for a NUL; all registers are 536 */

enum gdb_event {
	GDB_MORE,      /* nothing yet */
	GDB_DATA,      /* data[0..n) is a packet whose checksum is right */
	GDB_BAD,       /* a wrong checksum, or too long */
	GDB_NAK,       /* '-': gdb wants the last answer again */
	GDB_INTERRUPT, /* 0x03 */
};

struct gdb_packet {
	char data[GDB_PACKET];
	size_t n;
	u8 state; /* 0: outside; 1: data; 2, 3: the digits of the checksum */
	u8 sum, given;
	bool overflow, escaped;
};

/* One byte of input. Escapes (0x7d) are undone; data is NUL-terminated. */
enum gdb_event gdb_feed(struct gdb_packet *p, u8 byte);
/* True while a packet has begun and not ended. */
static inline bool gdb_inside(const struct gdb_packet *p)
{
	return p->state != 0;
}
/* The value of a digit, or -1. */
int gdb_digit(char ch);
/* A hexadecimal number; steps over it. False: there is none, or it has more than 16 digits. */
truth gdb_number(const char **s, u64 *value);
/* `n` bytes as 2n digits, NUL-terminated; and back (false: a bad digit). */
void gdb_put_bytes(char *out, const void *from, size_t n);
truth gdb_get_bytes(const char *s, void *to, size_t n);

#endif
