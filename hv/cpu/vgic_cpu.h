/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's state of one vCPU's interrupts; vgic.c explains it. */
#ifndef HV_VGIC_CPU_H
#define HV_VGIC_CPU_H

#include "lib/types.h"

#define VGIC_IRQS    256 /* INTIDs 0..255 */
#define VGIC_BANKS   (VGIC_IRQS / 32)
#define VGIC_MAX_LRS 16
#define VGIC_NO_IRQ  0xffff

/* 32 interrupts. While a bit of `in_lr` is set, a CPU's list register has the pending and active state. */
struct vgic_bank {
	u32 enabled, pending, level, active, group, in_lr;
	u32 edge;    /* GICD_ICFGR: edge-triggered */
	u32 hw;      /* the physical interrupt of the same number is active until this one ends */
	u32 running; /* acknowledged by a CPU and still active, with the group and priority of that time */
	u32 running_group;
	u8 priority[32], running_priority[32];
	u8 pad[24];
};
_Static_assert(sizeof(struct vgic_bank) == 128, "a shift to find it");

/* While the CPU is on, it alone uses this, except for members marked as others'. vgic_state.h says why that is enough. */
struct vgic_cpu {
	struct vgic_bank local; /* SGIs and PPIs */
	volatile u32 sent;      /* others': interrupts of `local` that they have made pending */
	volatile bool live;     /* on; changed under the distributor's lock */
	volatile bool stands;   /* waits in EL2, with empty list registers; changed under the distributor's lock */
	u16 lr_irq[VGIC_MAX_LRS];
	u32 lr_used;            /* bit n: list register n holds lr_irq[n] */
	u32 lr_spis;            /* ... which is an SPI */
	u32 lr_latched;         /* ... which was latched pending, whatever its line does */
	u32 lr_stale;           /* list registers taken back whose old content is still in the hardware */
	u32 n_lrs;
	u32 waker;
	volatile u32 asked, served; /* others', under the distributor's lock: how often they recalled SPIs, and were done */
	bool waits;             /* an interrupt was pending when vgic_flush() looked last */
	bool traps;             /* vgic_icc.c is the CPU interface: ICH_HCR_EL2.TALL0 and TALL1 are set */
};

#endif
