/* SPDX-License-Identifier: Apache-2.0 */
/* PL011 (DDI 0183): reset values, identification, masks, loopback, FIFO levels. Standard input holds three bytes. */
#include "lib.h"

void main1(u64 context) { (void)context; }

static void all(const char *when)
{
	is(when, 0);
	is("UARTFR but for RXFE, RXFF", r32(UART + 0x18) & ~0x50u);
	is("UARTILPR", r32(UART + 0x20));
	is("UARTIBRD", r32(UART + 0x24));
	is("UARTFBRD", r32(UART + 0x28));
	is("UARTLCR_H", r32(UART + 0x2c));
	is("UARTCR", r32(UART + 0x30));
	is("UARTIFLS", r32(UART + 0x34));
	is("UARTIMSC", r32(UART + 0x38));
	is("UARTDMACR", r32(UART + 0x48));
}

static int ready(void)
{
	for (int i = 0; i < 3000 && r32(UART + 0x18) & 16; i++)
		wait_us(1000);
	return !(r32(UART + 0x18) & 16);
}

void main(void)
{
	u32 cr = r32(UART + 0x30), got[24];
	unsigned n = 0;

	all("at reset");
	for (u64 at = 0xfe0; at < 0x1000; at += 4)
		is("identification", r32(UART + at));
	is("identification by halfword", r16(UART + 0xfe0));
	is("identification by byte", r8(UART + 0xffc));
	static const u32 set[] = { 0, ~0u, 0x5555, 0xaaaa };
	for (unsigned i = 0; i < 4; i++) {
		w32(UART + 0x24, set[i]);
		w32(UART + 0x28, set[i]);
		w32(UART + 0x34, set[i]);
		w32(UART + 0x38, set[i]);
		w32(UART + 0x20, set[i]);
		w32(UART + 0x48, set[i] & ~7u); /* no DMA */
		all("written");
		w32(UART + 0x38, 0);
	}
	w32(UART + 0x34, 0x12);
	w32(UART + 0x30, 0x301);
	/* A waiting byte outlives UARTICR. QEMU 10 empties the FIFO when FEN changes. */
	is("input is there", ready());
	w32(UART + 0x44, 0x7ff);
	is("RIS.RX behind UARTICR", r32(UART + 0x3c) & 0x10);
	for (u64 i = 0; i < 3; i++)
		is_of("UARTDR", i, ready() ? r32(UART) : ~0UL);
	is("UARTRSR", r32(UART + 4));
	is("RIS behind the last byte: RX, RT", r32(UART + 0x3c) & 0x50);
	w32(UART + 0x44, 0x7ff);
	put('.');
	is("\nRIS.TX behind a byte sent", r32(UART + 0x3c) & 0x20);
	w32(UART + 0x38, 0x20);
	is("MIS", r32(UART + 0x40));
	/* Its line, level-sensitive and as an edge */
	w32(GICD + 0xc08, 0);
	is("pending", r32(GICD + 0x204));
	w32(UART + 0x44, 0x20);
	is("pending behind UARTICR", r32(GICD + 0x204));
	put('.');
	is("\npending again", r32(GICD + 0x204));
	w32(UART + 0x38, 0);
	is("pending, masked", r32(GICD + 0x204));
	w32(GICD + 0xc08, 8);
	w32(UART + 0x38, 0x20);
	w32(UART + 0x38, 0);
	is("an edge stays", r32(GICD + 0x204));
	w32(GICD + 0x284, 2);
	is("an edge is cleared", r32(GICD + 0x204));
	w32(GICD + 0xc08, 0);
	/* Registers that are written for nothing, and those that are not there */
	w32(UART + 0x18, ~0u);
	w32(UART + 0x3c, ~0u);
	w32(UART + 0x40, ~0u);
	w32(UART + 0xfe0, ~0u);
	is("UARTFR, written", r32(UART + 0x18) & 0x1ff);
	is("UARTRIS, written", r32(UART + 0x3c));
	is("UARTICR, read", r32(UART + 0x44));
	is("UARTPeriphID0, written", r32(UART + 0xfe0));
	for (u64 at = 0x4c; at < 0xfe0; at += 4)
		if (r32(UART + at))
			is_of("a reserved register", at, r32(UART + at));
	/* Loopback: into the receive FIFO, with the level of UARTIFLS */
	w32(UART + 0x2c, 0x70);
	w32(UART + 0x30, 0x381);
	for (u32 i = 0; i < 5; i++)
		w32(UART, 0x41 + i);
	got[n++] = r32(UART + 0x18) & 0xd8;
	got[n++] = r32(UART + 0x3c) & 0x50;
	for (u32 i = 0; i < 6; i++)
		got[n++] = r32(UART + 0x18) & 16 ? 0x1000 : r32(UART);
	got[n++] = r32(UART + 0x18) & 0xd8;
	/* A break; the modem's outputs on its inputs */
	w32(UART + 0x2c, 0x71);
	got[n++] = r32(UART + 0x3c) & 0x200;
	got[n++] = r32(UART) & 0x400;
	got[n++] = r32(UART + 4);
	w32(UART + 0x2c, 0x70);
	w32(UART + 4, 0);
	w32(UART + 0x44, 0x7ff);
	for (u32 out = 0; out < 16; out += 5) {
		w32(UART + 0x30, 0x381 | out << 10);
		got[n++] = r32(UART + 0x18) & 0x107;
		got[n++] = r32(UART + 0x3c) & 0xf;
		w32(UART + 0x44, 0xf);
		got[n++] = r32(UART + 0x3c) & 0xf;
	}
	w32(UART + 0x30, cr | 1);
	w32(UART + 0x30, 0x301);
	put('\n');
	for (unsigned i = 0; i < n; i++)
		is_of("loopback", i, got[i]);
	off();
}
