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

#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define INT_RX  BIT(4)
#define INT_RT  BIT(6)
#define INT_BE  BIT(9)
#define DR_BE   BIT(10)

static int early; /* a byte that came before uart_init(), or -1 */

void uart_init(void)
{
	mmio_write32(UART_PA + CR, 0);
	mmio_write32(UART_PA + IMSC, 0);
	mmio_write32(UART_PA + ICR, 0x7ff);
	early = -1;
	mmio_write32(UART_PA + LCRH, 0x70);      /* 8N1, FIFOs on */
	early = uart_get();                      /* at once: QEMU 7.2 puts the next byte where this one still is */
	mmio_write32(UART_PA + CR, 0x301);       /* UARTEN, TXE, RXE */
}

void uart_put(u8 byte)
{
	/* A host that does not read stalls us here; two seconds of polling is enough for any that does. */
	for (u32 i = 0; i < 20000000 && mmio_read32(UART_PA + FR) & FR_TXFF; i++)
		;
	mmio_write32(UART_PA + DR, byte);
}

int uart_get(void)
{
	u32 v;

	if (early >= 0) {
		v = (u32)early;
		early = -1;
		return (int)v;
	}
	if (mmio_read32(UART_PA + FR) & FR_RXFE)
		return -1;
	v = mmio_read32(UART_PA + DR);
	return v & DR_BE ? UART_BREAK : (int)(v & 0xff);
}

void uart_rx_interrupt(bool on)
{
	mmio_write32(UART_PA + IMSC, on ? INT_RX | INT_RT | INT_BE : 0);
}

void uart_clear_interrupt(void)
{
	mmio_write32(UART_PA + ICR, INT_RX | INT_RT | INT_BE);
}
