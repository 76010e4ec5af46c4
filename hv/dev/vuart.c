/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PL011: transmits at once, receives from a ring, interrupts as the real one does. */
#include "dev/vuart.h"
#include "board/board.h"
#include "cpu/cpu.h"
#include "dev/vgic.h"
#include "log/console.h"

#define RING 4096 /* a power of two */

#define INT_RX BIT(4)
#define INT_TX BIT(5)
#define INT_RT BIT(6)
#define INT_BE BIT(9)

#define FR_RXFE BIT(4)
#define FR_RXFF BIT(6)
#define FR_TXFE BIT(7)

#define CR_UARTEN BIT(0)
#define CR_RXE    BIT(9)

static struct {
	u32 ris, imsc, cr, lcr, ibrd, fbrd, ifls, dmacr, ilpr;
	u32 head, tail; /* ring[head & (RING - 1)] is the next to read */
	bool broken;    /* the next DR read reports a BREAK */
	bool level;     /* of the interrupt's line */
} uart = { .cr = 0x300, .ifls = 0x12 };
static u8 ring[RING];
u32 vuart_flags = FR_TXFE | FR_RXFE;

/*
 * RIS. The receive bits follow the ring: unlike the board's, they come back after ICR while there is something to
 * read, so that no byte waits for the next one.
 */
static u32 raw_interrupts(void)
{
	return uart.ris | (uart.head != uart.tail || uart.broken ? (u32)(INT_RX | INT_RT) : 0);
}

static void update(void)
{
	bool level = (raw_interrupts() & uart.imsc) != 0;

	if (level == uart.level)
		return;
	uart.level = level;
	vgic_set_level(IRQ_UART, level);
}

/* Behind every change of the ring. */
static void input_changed(void)
{
	u32 n = uart.tail - uart.head;

	vuart_flags = (u32)(FR_TXFE | (n == 0 && !uart.broken ? FR_RXFE : 0) | (n == RING ? FR_RXFF : 0));
	update();
}

static u32 read_data(struct cpu *c)
{
	u32 v;

	if (uart.broken) {
		uart.broken = false;
		v = 0x400;
	} else if (uart.head == uart.tail) {
		return 0;
	} else {
		v = ring[uart.head++ & (RING - 1)];
	}
	if (uart.tail - uart.head == RING / 4)
		console_input_room(c);
	input_changed();
	return v;
}

u64 vuart_read(struct cpu *c, u32 offset)
{
	static const u8 id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

	switch (offset) {
	case 0x00: return read_data(c);
	case 0x18: return vuart_flags;
	case 0x20: return uart.ilpr;
	case 0x24: return uart.ibrd;
	case 0x28: return uart.fbrd;
	case 0x2c: return uart.lcr;
	case 0x30: return uart.cr;
	case 0x34: return uart.ifls;
	case 0x38: return uart.imsc;
	case 0x3c: return raw_interrupts();
	case 0x40: return raw_interrupts() & uart.imsc;
	case 0x48: return uart.dmacr;
	}
	if (offset >= 0xfe0 && offset <= 0xffc && offset % 4 == 0)
		return id[(offset - 0xfe0) / 4];
	return 0;
}

/* Sent at once, so the FIFO is below its trigger level again. */
void vuart_transmit(u8 byte)
{
	console_guest(byte);
	uart.ris |= INT_TX;
	update();
}

void vuart_write(u32 offset, u64 value)
{
	u32 v = (u32)value;

	switch (offset) {
	case 0x00: vuart_transmit((u8)v); break;
	case 0x20: uart.ilpr = v & 0xff; break;
	case 0x24: uart.ibrd = v & 0xffff; break;
	case 0x28: uart.fbrd = v & 0x3f; break;
	case 0x2c: uart.lcr = v & 0xff; break;
	case 0x30: uart.cr = v & 0xff87; break;
	case 0x34: uart.ifls = v & 0x3f; break;
	case 0x38: uart.imsc = v & 0x7ff; break;
	case 0x44: uart.ris &= ~v; break;
	case 0x48: uart.dmacr = v & 7; break;
	} /* ECR: no errors are ever latched */
	update();
}

bool vuart_receive(u8 byte)
{
	if (uart.tail - uart.head == RING)
		return false;
	ring[uart.tail++ & (RING - 1)] = byte;
	input_changed();
	return true;
}

void vuart_break(void)
{
	uart.broken = true;
	uart.ris |= INT_BE;
	input_changed();
}

int vuart_unread(void)
{
	u8 byte;
	bool receiver = (uart.cr & (CR_UARTEN | CR_RXE)) == (CR_UARTEN | CR_RXE);

	if (receiver || uart.head == uart.tail)
		return -1;
	byte = ring[uart.head++ & (RING - 1)];
	input_changed();
	return byte;
}
