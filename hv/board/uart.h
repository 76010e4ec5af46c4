/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's PL011 (PrimeCell UART TRM, DDI 0183), bytes out while there is room, interrupt-driven input. */
#ifndef HV_UART_H
#define HV_UART_H

#include "lib/types.h"

#define UART_BREAK 0x400 /* DR.BE */

void uart_init(void);
/* True if the FIFO has room for a byte. */
bool uart_ready(void);
/* Waits for that, but not for ever: a UART that never drains loses the next byte. */
void uart_wait(void);
/* A byte, without looking. */
void uart_send(u8 byte);
/* The transmit interrupt, which comes while the FIFO has room for much: on or off. */
void uart_tx_interrupt(bool on);
/* The next input byte, UART_BREAK, or -1. */
int uart_get(void);
/* Receive interrupts on or off: off is how input is held back when the guest's ring is full. */
void uart_rx_interrupt(bool on);
void uart_clear_interrupt(void);

#endif
