/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PL011: transmits at once, receives from a ring, raises interrupts as the real one does. */
#include "dev/vuart.h"
#include "board/board.h"
#include "cpu/locks.h"
#include "dev/vgic.h"
#include "log/console.h"

#define RING 4096 /* a power of two */
#define FIFO 16   /* FIFO depth as the guest sees it, with FEN */

#define INT_RX BIT(4)
#define INT_TX BIT(5)
#define INT_RT BIT(6)
#define INT_BE BIT(9)
#define INT_OE BIT(10)

#define FR_CTS  BIT(0)
#define FR_DSR  BIT(1)
#define FR_DCD  BIT(2)
#define FR_BUSY BIT(3)
#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define FR_RXFF BIT(6)
#define FR_TXFE BIT(7)
#define FR_RI   BIT(8)

#define CR_UARTEN BIT(0)
#define CR_LBE    BIT(7)
#define CR_RXE    BIT(9)
#define CR_DTR    BIT(10)
#define CR_RTS    BIT(11)
#define CR_OUT1   BIT(12)
#define CR_OUT2   BIT(13)

#define LCRH_BRK BIT(0)
#define LCRH_FEN BIT(4)

#define DR_BE  BIT(10)
#define RSR_OE BIT(3)

static struct {
	u32 ris, imsc, cr, lcr, ibrd, fbrd, ifls, dmacr, ilpr, rsr;
	u32 head, tail; /* ring[head & (RING - 1)] is read next */
	bool broken;    /* the next DR read reports a BREAK */
	bool level;     /* the interrupt's line as last set */
	u32 sending;    /* FR: the state of the output ring */
} uart = { .cr = 0x300, .ifls = 0x12, .sending = FR_TXFE };
static u8 ring[RING];
u32 vuart_flags = FR_TXFE | FR_RXFE;

/*
 * RIS. Unlike the board's, the receive bits follow the ring: after ICR they return while there are bytes to read, so
 * that no byte waits for the next one.
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

static u32 depth(void)
{
	return uart.lcr & LCRH_FEN ? FIFO : 1;
}

/* Loopback feeds the modem outputs to the inputs, which are otherwise not connected. */
static u32 modem(void)
{
	u32 cr = uart.cr & CR_LBE ? uart.cr : 0;

	return (u32)((cr & CR_RTS ? FR_CTS : 0) | (cr & CR_DTR ? FR_DSR : 0) | (cr & CR_OUT1 ? FR_DCD : 0) |
		     (cr & CR_OUT2 ? FR_RI : 0));
}

/* After every change of the ring: rebuilds FR and the interrupt line. */
static void flags_changed(void)
{
	u32 n = uart.tail - uart.head;

	vuart_flags = (u32)(uart.sending | (n == 0 && !uart.broken ? FR_RXFE : 0) | (n >= depth() ? FR_RXFF : 0)) | modem();
	update();
}

void vuart_output(bool empty, bool full)
{
	if (uart.sending & FR_TXFF && !full)
		uart.ris |= INT_TX; /* the transmit FIFO has drained below its trigger level */
	uart.sending = (u32)(empty ? FR_TXFE : full ? FR_BUSY | FR_TXFF : FR_BUSY);
	flags_changed();
}

static u32 read_data(struct cpu *c)
{
	u32 v;

	if (uart.broken) {
		uart.broken = false;
		v = DR_BE;
	} else if (uart.head == uart.tail) {
		return 0;
	} else {
		v = ring[uart.head++ & (RING - 1)];
	}
	if (uart.tail - uart.head == RING / 4)
		console_input_room(c);
	uart.rsr = (uart.rsr & RSR_OE) | v >> 8;
	flags_changed();
	return v;
}

static u64 read(struct cpu *c, u32 offset)
{
	static const u8 id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

	switch (offset) {
	case 0x00: return read_data(c);
	case 0x04: return uart.rsr;
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

u64 vuart_read(struct cpu *c, u32 offset)
{
	u64 value;

	spin_lock(&line_lock);
	value = read(c, offset);
	spin_unlock(&line_lock);
	return value;
}

static void loop_back(u8 byte)
{
	if (uart.tail - uart.head < depth()) {
		ring[uart.tail++ & (RING - 1)] = byte;
		flags_changed();
	} else {
		uart.rsr |= RSR_OE;
		uart.ris |= INT_OE;
	}
}

/* Bytes usually leave at once, which takes the FIFO below its trigger level again. */
static inline void transmit(u8 byte)
{
	if (uart.cr & CR_LBE)
		loop_back(byte);
	else
		console_guest(byte);
	if (likely(!(uart.sending & FR_TXFF)))
		uart.ris |= INT_TX;
}

static void receive_break(void)
{
	uart.broken = true;
	uart.ris |= INT_BE;
}

/* RIS bits of RI, CTS, DCD and DSR: set when the input changes. */
static void set_control(u32 cr)
{
	u32 was = modem(), changed;

	uart.cr = cr;
	changed = was ^ modem();
	uart.ris |= (u32)((changed & FR_RI ? BIT(0) : 0) | (changed & FR_CTS ? BIT(1) : 0) | (changed & FR_DCD ? BIT(2) : 0) |
			  (changed & FR_DSR ? BIT(3) : 0));
	flags_changed();
}

static void set_line(u32 lcr)
{
	if (uart.cr & CR_LBE && lcr & ~uart.lcr & LCRH_BRK)
		receive_break();
	uart.lcr = lcr;
	flags_changed();
}

void vuart_write(u32 offset, u64 value)
{
	u32 v = (u32)value;

	spin_lock(&line_lock);
	switch (offset) {
	case 0x00: transmit((u8)v); break;
	case 0x04: uart.rsr = 0; break; /* ECR */
	case 0x20: uart.ilpr = v & 0xff; break;
	case 0x24: uart.ibrd = v & 0xffff; break;
	case 0x28: uart.fbrd = v & 0x3f; break;
	case 0x2c: set_line(v & 0xff); break;
	case 0x30: set_control(v & 0xff87); break;
	case 0x34: uart.ifls = v & 0x3f; break;
	case 0x38: uart.imsc = v & 0x7ff; break;
	case 0x44: uart.ris &= ~v; break;
	case 0x48: uart.dmacr = v & 7; break;
	}
	update();
	spin_unlock(&line_lock);
}

bool vuart_receive(u8 byte)
{
	if (uart.cr & CR_LBE)
		return true; /* the receiver is cut off from the line: the byte is lost, as on the board */
	if (uart.tail - uart.head == RING)
		return false;
	ring[uart.tail++ & (RING - 1)] = byte;
	flags_changed();
	return true;
}

void vuart_break(void)
{
	if (uart.cr & CR_LBE)
		return;
	receive_break();
	flags_changed();
}

int vuart_unread(void)
{
	u8 byte;
	bool receiver = (uart.cr & (CR_UARTEN | CR_RXE)) == (CR_UARTEN | CR_RXE);

	if (receiver || uart.head == uart.tail)
		return -1;
	byte = ring[uart.head++ & (RING - 1)];
	flags_changed();
	return byte;
}
