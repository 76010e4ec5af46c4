/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio-mmio (virtio 1.1, "Virtio Over MMIO"), legacy or modern: registers, negotiation, queues, requests, resets of a
 * disk, which is the last transport, and of an entropy source, a console and a network card before it.
 */
#include "lib.h"

#define DISK  0x0a003e00UL
#define OTHER(n) (DISK - 0x200UL * (n))
#define D     device
#define RING  0x50010000UL
#define HEAD  0x50020000UL
#define DATA  0x50030000UL

struct descriptor { u64 addr; u32 len; u16 flags, next; };
static volatile struct descriptor *d = (volatile struct descriptor *)RING;
static volatile u16 *avail = (volatile u16 *)(RING + 128), *used = (volatile u16 *)(RING + 4096);

static u64 device = DISK;

void main1(u64 context) { (void)context; }

static void all(const char *when)
{
	is(when, 0);
	for (u64 at = 0; at < 0x110; at += 4)
		if (at != 0x10) /* DeviceFeatures alone */
			is_of("register", at, r32(D + at));
}

/* Queue `n` of eight descriptors, in the same place as the others. */
static void queue(u32 version, u32 n)
{
	for (u64 i = 0; i < 8192; i += 8)
		w64(RING + i, 0);
	w32(D + 0x30, n);
	w32(D + 0x38, 8);
	if (version == 1) {
		w32(D + 0x28, 4096);
		w32(D + 0x3c, 4096);
		w32(D + 0x40, RING >> 12);
		return;
	}
	w32(D + 0x80, RING);
	w32(D + 0x84, 0);
	w32(D + 0x90, RING + 128);
	w32(D + 0x94, 0);
	w32(D + 0xa0, RING + 4096);
	w32(D + 0xa4, 0);
	w32(D + 0x44, 1);
}

static void negotiate(u32 version)
{
	w32(D + 0x70, 0);
	w32(D + 0x70, 1);
	w32(D + 0x70, 3);
	w32(D + 0x24, 0);
	w32(D + 0x20, 0);
	w32(D + 0x24, 1);
	w32(D + 0x20, version == 2);
	if (version == 2)
		w32(D + 0x70, 11);
	is("Status, negotiated", r32(D + 0x70));
}

static void request(const char *name, u32 type, u64 sector, u32 size)
{
	u16 before = used[1], at = avail[1];

	w64(HEAD, type);
	w64(HEAD + 8, sector);
	w64(HEAD + 32, 0xff);
	w64(DATA, 0x55);
	d[0] = (struct descriptor){ HEAD, 16, 1, 1 };
	d[1] = (struct descriptor){ DATA, size, 3, 2 };
	d[2] = (struct descriptor){ HEAD + 32, 1, 2, 0 };
	avail[2 + at % 8] = 0;
	asm volatile("dsb sy");
	avail[1] = (u16)(at + 1);
	asm volatile("dsb sy");
	w32(D + 0x50, 0);
	for (int i = 0; i < 500 && used[1] == before; i++)
		wait_us(1000);
	is(name, used[1] != before);
	is("  its status", r8(HEAD + 32));
	is("  what was read", r64(DATA));
	is("  the length", r32(RING + 4096 + 4 + 8 * (before % 8) + 4));
	is("  InterruptStatus", r32(D + 0x60));
	is("  pending", r32(GICD + 0x208) >> 15 & 1);
	w32(D + 0x64, 1);
	is("  InterruptStatus, acknowledged", r32(D + 0x60));
	is("  pending", r32(GICD + 0x208) >> 15 & 1);
}

/* One buffer, that the device writes or reads: often enough for the ring to go round. */
static void buffers(const char *name, u32 q, u32 size, u16 flags, u64 content)
{
	is(name, 0);
	for (u16 i = 0; i < 10; i++) {
		w64(DATA, content);
		w64(DATA + 8, 0);
		d[i % 8] = (struct descriptor){ DATA, size, flags, 0 };
		avail[0] = i == 7; /* VIRTQ_AVAIL_F_NO_INTERRUPT */
		avail[2 + i % 8] = (u16)(i % 8);
		asm volatile("dsb sy");
		avail[1] = (u16)(i + 1);
		asm volatile("dsb sy");
		w32(D + 0x50, q);
		for (int k = 0; k < 500 && used[1] != (u16)(i + 1); k++)
			wait_us(1000);
		if (i >= 6) {
			is("  used", used[1]);
			is("  descriptor", r32(RING + 4096 + 4 + 8 * (i % 8)));
			is("  length", r32(RING + 4096 + 4 + 8 * (i % 8) + 4));
			is("  written", r64(DATA) != content);
			is("  InterruptStatus", r32(D + 0x60));
		}
		w32(D + 0x64, 1);
	}
}

static void registers(const char *name, u64 size)
{
	is(name, r32(D + 8));
	for (u64 at = 0; at < size; at++)
		is_of("  configuration", at, r8(D + 0x100 + at));
	is("  configuration, 64 bits", r64(D + 0x100));
}

static void others(u32 version)
{
	device = OTHER(1);
	registers("entropy source", 0);
	negotiate(version);
	queue(version, 0);
	w32(D + 0x70, r32(D + 0x70) | 4);
	buffers("entropy", 0, 16, 2, 0);
	w32(D + 0x70, 0);
	device = OTHER(2);
	registers("console", 0);
	negotiate(version);
	queue(version, 1);
	w32(D + 0x70, r32(D + 0x70) | 4);
	buffers("a text", 1, 3, 0, 0x0a6968);
	w32(D + 0x70, 0);
	device = OTHER(3);
	registers("network card", 8);
	negotiate(version);
	queue(version, 1);
	w32(D + 0x70, r32(D + 0x70) | 4);
	buffers("a packet", 1, 64, 0, 0);
	w32(D + 0x70, 0);
	for (u32 q = 0; q < 8; q++) {
		w32(D + 0x30, q);
		is_of("a queue is there", q, r32(D + 0x34) != 0);
	}
	device = DISK;
}

void main(void)
{
	u32 version = r32(D + 4);

	w32(GICD, 0x12);
	gic_cpu(0);
	all("at reset");
	w32(D + 0x70, 1);
	w32(D + 0x70, 3);
	is("Status", r32(D + 0x70));
	w32(D + 0x14, 2);
	is("DeviceFeatures, word 2", r32(D + 0x10));
	negotiate(version);
	queue(version, 0);
	w32(D + 0x70, r32(D + 0x70) | 4);
	all("ready");
	request("a read", 0, 0, 512);
	request("a read beyond the end", 0, 1UL << 40, 512);
	request("a type that there is not", 77, 0, 512);
	request("an identification", 8, 0, 20);
	w32(D + 0x30, 1);
	is("QueueNumMax of queue 1", r32(D + 0x34));
	w32(D + 0x30, 0);
	w32(D + 0x50, 100);
	is("Status behind a notification of no queue", r32(D + 0x70));
	w32(D + 0x70, 0);
	all("reset");
	negotiate(version);
	queue(version, 0);
	w32(D + 0x70, r32(D + 0x70) | 4);
	request("a read behind a reset", 0, 1, 512);
	w32(D + 0x70, 0);
	others(version);
	/* A transport without a device */
	is("MagicValue of another", r32(0x0a000000));
	is("DeviceID of another", r32(0x0a000008));
	off();
}
