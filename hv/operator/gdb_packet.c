/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of gdb's remote protocol. Pure. */
#include "operator/gdb_packet.h"

#define INTERRUPT 0x03
#define ESCAPE    0x7d

int gdb_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static enum gdb_event checksum(struct gdb_packet *p, u8 byte)
{
	int digit = gdb_digit((char)byte);

	if (digit < 0) {
		p->state = 0;
		return GDB_BAD;
	}
	p->given = (u8)(p->given << 4 | digit);
	if (p->state++ == 2)
		return GDB_MORE;
	p->state = 0;
	return p->given == p->sum && !p->overflow && !p->escaped ? GDB_DATA : GDB_BAD;
}

enum gdb_event gdb_feed(struct gdb_packet *p, u8 byte)
{
	if (byte == '$' && !p->escaped) { /* '$' is never part of data: it begins a new packet in any state */
		bool cut = p->state != 0;

		p->n = 0;
		p->data[0] = '\0';
		p->sum = p->given = 0;
		p->overflow = false;
		p->state = 1;
		return cut ? GDB_BAD : GDB_MORE;
	}
	if (p->state == 0)
		return byte == '-' ? GDB_NAK : byte == INTERRUPT ? GDB_INTERRUPT : GDB_MORE;
	if (p->state > 1)
		return checksum(p, byte);
	if (byte == '#') {
		p->state = 2;
		return GDB_MORE;
	}
	p->sum = (u8)(p->sum + byte);
	if (byte == ESCAPE && !p->escaped) {
		p->escaped = true;
		return GDB_MORE;
	}
	if (p->escaped)
		byte ^= 0x20;
	p->escaped = false;
	if (p->n == GDB_PACKET - 1) {
		p->overflow = true;
		return GDB_MORE;
	}
	p->data[p->n++] = (char)byte;
	p->data[p->n] = '\0';
	return GDB_MORE;
}

truth gdb_number(const char **s, u64 *value)
{
	unsigned n = 0;
	u64 v = 0;

	for (; gdb_digit((*s)[n]) >= 0; n++) {
		if (n == 16)
			return false;
		v = v << 4 | (u64)gdb_digit((*s)[n]);
	}
	*s += n;
	*value = v;
	return n > 0;
}

void gdb_put_bytes(char *out, const void *from, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *in = from;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

truth gdb_get_bytes(const char *s, void *to, size_t n)
{
	u8 *out = to;

	for (size_t i = 0; i < n; i++) {
		int high = gdb_digit(s[2 * i]), low = high < 0 ? -1 : gdb_digit(s[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (u8)(high << 4 | low);
	}
	return true;
}
