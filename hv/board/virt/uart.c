/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's PL011: bytes in, bytes out. */
#include "board/uart.h"
#include "arch/arch.h"
#include "board/board.h"

#define DR   0x00
#define FR   0x18
#define IBRD 0x24
#define FBRD 0x28
#define LCRH 0x2c
#define CR   0x30
#define IFLS 0x34
#define IMSC 0x38
#define ICR  0x44

#define LCRH_FEN    BIT(4)
#define LCRH_WLEN_8 0x60
#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define INT_RX  BIT(4)
#define INT_TX  BIT(5)
#define INT_RT  BIT(6)
#define INT_BE  BIT(9)
#define DR_BE   BIT(10)

static u32 mask; /* IMSC */

/*
 * Keeps received bytes and their interrupt. FEN stays as it is: a change empties the receive FIFO (of QEMU 10; QEMU 7.2
 * overwrites it with the next byte), and a byte may come at any moment.
 */
COLD void uart_init(void)
{
	mmio_write32(UART_PA + IMSC, 0);
	mmio_write32(UART_PA + LCRH, LCRH_WLEN_8 | (mmio_read32(UART_PA + LCRH) & LCRH_FEN));
	mmio_write32(UART_PA + CR, 0x301); /* UARTEN, TXE, RXE */
}

bool uart_ready(void)
{
	return !(mmio_read32(UART_PA + FR) & FR_TXFF);
}

void uart_wait(void)
{
	/* A host that does not read stalls EL2 here: for two seconds, then bytes are lost. */
	for (u32 i = 0; i < 20000000 && !uart_ready(); i++)
		;
}

void uart_send(u8 byte)
{
	mmio_write32(UART_PA + DR, byte);
}

int uart_get(void)
{
	u32 v;

	if (mmio_read32(UART_PA + FR) & FR_RXFE)
		return -1;
	v = mmio_read32(UART_PA + DR);
	return v & DR_BE ? UART_BREAK : (int)(v & 0xff);
}

static void set_mask(u32 bits, bool on)
{
	mask = on ? mask | bits : mask & ~bits;
	mmio_write32(UART_PA + IMSC, mask);
}

void uart_rx_interrupt(bool on)
{
	set_mask(INT_RX | INT_RT | INT_BE, on);
}

void uart_tx_interrupt(bool on)
{
	set_mask(INT_TX, on); /* ICR never clears it: it follows the FIFO's level, and an edge must not be lost */
}

void uart_clear_interrupt(void)
{
	mmio_write32(UART_PA + ICR, INT_RX | INT_RT | INT_BE);
}
