/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of the line, in order: a ring that is emptied as fast as the UART takes it, without waiting. Needs the line's
 * lock, or no other CPU running.
 */
#ifndef HV_OUTPUT_H
#define HV_OUTPUT_H

#include "lib/types.h"

#define OUTPUT_RING   16384 /* bytes, a power of two */
#define OUTPUT_GUEST  4096  /* the guest's share; the rest is for evidence */
#define OUTPUT_GRACE  64    /* bytes that a guest may send after FR says full: a driver's burst */
#define OUTPUT_BUDGET 128   /* bytes to the UART at once, at most; bounds the hold of the line's lock */

extern u32 output_head, output_tail; /* the ring's state; only output.c writes it */

static inline u32 output_used(void)
{
	return output_tail - output_head;
}
static inline u32 output_room(void)
{
	return OUTPUT_RING - output_used();
}
/* Whether the ring takes a byte of the guest's. */
static inline bool output_takes(void)
{
	return output_used() < OUTPUT_GUEST + OUTPUT_GRACE;
}
/* Puts a byte at the end; waits for the UART if the ring is full. */
void output_put(u8 byte);
/* Gives the UART as much as it takes, at most OUTPUT_BUDGET; its interrupt tells when more can go. */
void output_pump(void);
/* Gives the UART everything, and waits for it. */
void output_flush(void);

#endif
