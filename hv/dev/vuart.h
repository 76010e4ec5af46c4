/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PL011 (PrimeCell UART TRM, DDI 0183 rev 1p1 as QEMU has it): its registers and its receive ring. */
#ifndef HV_VUART_H
#define HV_VUART_H

#include "log/line.h"

struct cpu;

/* Register access by offset in the window. An unknown register reads as 0 and ignores writes. */
u64 vuart_read(struct cpu *c, u32 offset);
void vuart_write(u32 offset, u64 value);
/* FR, readable without the lock. */
extern u32 vuart_flags;

#endif
