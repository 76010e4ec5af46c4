/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's virtio-mmio transports as the guest may have them (virtio 1.1, legacy interface too): the real device
 * sees only queues in EL2's memory, with every guest address checked and translated.
 */
#ifndef HV_VIRTIO_H
#define HV_VIRTIO_H

#include "board/board.h"
#include "lib/types.h"

#define VIRTIO_STRIDE     0x200
#define VIRTIO_TRANSPORTS 32
#define VIRTIO_IRQ        IRQ_VIRTIO /* INTID of transport 0 */

/* Takes the devices that the policy gives: those whose window has a virtio model. */
void virtio_init(void);
/* Register access by address. An unknown register reads as zero and ignores writes. */
u64 virtio_read(u64 ipa, unsigned size);
void virtio_write(u64 ipa, unsigned size, u64 value);
/* The physical interrupt `irq` came; false: it belongs to no transport. */
bool virtio_interrupt(u32 irq);
/* EL2's timer rang, or the CPU whose timer was set has left: takes chains that the policy's rate held back. */
void virtio_tick(void);
/* The transports' physical interrupts go to the CPU with this index. */
void virtio_route(u32 cpu);

/* The state of transport `n`, for people. False: there is no such transport. */
struct virtio_status {
	u32 type;              /* device ID of the standard */
	u32 status;            /* device status as the driver reads it */
	u64 requests, refused; /* chains given to the device; chains that EL2 answered itself */
	u64 waits;             /* how often the policy's rate held a queue back */
	u64 breaks;            /* how often the driver broke the rules */
	const char *why;       /* ... the last time, or NULL */
};
bool virtio_describe(unsigned transport, struct virtio_status *s);

#endif
