/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's PL011 (PrimeCell UART TRM, DDI 0183): writes bytes while there is room, takes input by interrupt. */
#ifndef HV_UART_H
#define HV_UART_H

#include "lib/types.h"

#define UART_BREAK 0x400 /* DR.BE */

void uart_init(void);
/* True if the FIFO has room for a byte. */
bool uart_ready(void);
/* Waits for room, but not for ever: a UART that never drains loses the next byte. */
void uart_wait(void);
/* Writes a byte without waiting for room. */
void uart_send(u8 byte);
/* Enables the transmit interrupt, which comes while the FIFO has much room, or disables it. */
void uart_tx_interrupt(bool on);
/* The next input byte, UART_BREAK, or -1. */
int uart_get(void);
/* Enables the receive interrupts; disabled, they hold input back while the guest's ring is full. */
void uart_rx_interrupt(bool on);
void uart_clear_interrupt(void);

#endif
