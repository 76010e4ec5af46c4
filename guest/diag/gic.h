/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's GICv3 driver: one CPU, group 1, the interrupts that timer.c uses. */
#ifndef GUEST_GIC_H
#define GUEST_GIC_H

#include "guest.h"
#include "lib/types.h"

#define GIC_SGI      5
#define GIC_VTIMER   IRQ_VTIMER
#define GIC_NOTHING  1023

/* True if the policy allows all that this driver needs; else `missing` names the first thing denied. */
bool gic_usable(const char **missing);
/*
 * Turns on distributor, redistributor and CPU interface with every interrupt off. False: the redistributor stays
 * asleep.
 */
bool gic_init(void);
void gic_enable(u32 irq, bool on);
void gic_set_priority(u32 irq, u8 priority);
void gic_set_pending(u32 irq);
bool gic_is_pending(u32 irq);
bool gic_is_active(u32 irq);
u32 gic_acknowledge(void);
void gic_end(u32 irq);
void gic_send_sgi(u32 irq);

#endif
