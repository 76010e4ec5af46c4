/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes out on the line, in its order: a ring that is emptied as fast as the UART takes it, without waiting for it.
 * All of it under the line's lock, or where nobody else runs.
 */
#ifndef HV_OUTPUT_H
#define HV_OUTPUT_H

#include "lib/types.h"

#define OUTPUT_RING   16384 /* bytes, a power of two */
#define OUTPUT_GUEST  4096  /* as far as the guest may fill it: the rest is for evidence */
#define OUTPUT_GRACE  64    /* what a guest may send behind the flag that says full: a driver's burst */
#define OUTPUT_BUDGET 128   /* bytes to the UART at once, at most: how long the line's lock is held for them */

extern u32 output_head, output_tail; /* the ring's; output.c alone writes them */

static inline u32 output_used(void)
{
	return output_tail - output_head;
}
static inline u32 output_room(void)
{
	return OUTPUT_RING - output_used();
}
/* A byte of the guest's may come. */
static inline bool output_takes(void)
{
	return output_used() < OUTPUT_GUEST + OUTPUT_GRACE;
}
/* Puts a byte at the end; if the ring is full, it waits for the UART. */
void output_put(u8 byte);
/* Gives the UART what it takes at once, at most OUTPUT_BUDGET; its interrupt tells when more can go. */
void output_pump(void);
/* Gives it everything, and waits for that. */
void output_flush(void);

#endif
