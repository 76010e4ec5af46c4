/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of bytes to be sent on the line. */
#include "log/output.h"
#include "board/uart.h"
#include "log/line.h"

static u8 ring[OUTPUT_RING];
u32 output_head, output_tail;
static bool told_full, told_empty = true; /* the state that the guest's PL011 shows */
static bool asked;                        /* the UART's transmit interrupt is on */

/* Call it after every change of the ring. */
static void changed(void)
{
	bool full = output_used() >= OUTPUT_GUEST, empty = !output_used();

	if (full != told_full || empty != told_empty) {
		told_full = full;
		told_empty = empty;
		vuart_output(empty, full);
	}
	if (asked == empty) {
		asked = !empty;
		uart_tx_interrupt(asked);
	}
}

static inline void send(void)
{
	uart_send(ring[output_head++ & (OUTPUT_RING - 1)]);
}

void output_put(u8 byte)
{
	if (unlikely(!output_room()))
		output_flush();
	ring[output_tail++ & (OUTPUT_RING - 1)] = byte;
}

void output_pump(void)
{
	for (unsigned n = 0; n < OUTPUT_BUDGET && output_used() && uart_ready(); n++)
		send();
	changed();
}

void output_flush(void)
{
	while (output_used()) {
		uart_wait();
		send();
	}
	changed();
}
