/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a disk that the policy gives read-only (virtio 1.1, "Block Device"). */
#include "dev/virtio_device.h"

#define BLK_IN     0
#define BLK_FLUSH  4
#define BLK_GET_ID 8
#define BLK_IOERR  1

bool virtio_blk_may_pass(struct queue *q, u16 first, const struct descriptor *tail, const char **why)
{
	volatile struct descriptor *d = &q->shadow.desc[first];
	const volatile u8 *from = (const volatile u8 *)d->addr;
	u64 form = d->rest;
	u8 *header = q->header[first];
	u32 type;

	/* The legacy interface fixes the header's descriptor, and every driver keeps to it. */
	if (desc_flags(form) & DESC_WRITE || desc_len(form) != BLK_HEADER || !(desc_flags(tail->rest) & DESC_WRITE)) {
		*why = "request-form";
		return false;
	}
	for (unsigned i = 0; i < BLK_HEADER; i++)
		header[i] = from[i];
	type = header[0] | (u32)header[1] << 8 | (u32)header[2] << 16 | (u32)header[3] << 24;
	if (type == BLK_IN || type == BLK_FLUSH || type == BLK_GET_ID) {
		d->addr = (u64)header;
		return true;
	}
	*(volatile u8 *)(tail->addr + desc_len(tail->rest) - 1) = BLK_IOERR;
	return false;
}
