/* SPDX-License-Identifier: Apache-2.0 */
/* What EL2 keeps of one vCPU's interrupts; vgic.c says what it means. */
#ifndef HV_VGIC_CPU_H
#define HV_VGIC_CPU_H

#include "lib/types.h"

#define VGIC_IRQS    256 /* INTIDs 0..255 */
#define VGIC_BANKS   (VGIC_IRQS / 32)
#define VGIC_MAX_LRS 16
#define VGIC_NO_IRQ  0xffff

/* 32 interrupts. A bit set in `in_lr` means that the pending and active state lives in a CPU's list register. */
struct vgic_bank {
	u32 enabled, pending, level, active, group, in_lr;
	u32 edge;    /* GICD_ICFGR: edge-triggered */
	u32 hw;      /* the physical interrupt of the same number is active, until this one has ended */
	u32 running; /* active since a CPU acknowledged it, with the group and priority that it had then */
	u32 running_group;
	u8 priority[32], running_priority[32];
	u8 pad[24];
};
_Static_assert(sizeof(struct vgic_bank) == 128, "a shift to find it");

/* An access to another CPU's redistributor, which that CPU makes. */
struct vgic_request {
	u32 reg, size;
	u64 value;
	bool write;
	volatile u32 done;
};

/* While the CPU is on, no other one touches this but what is said to be another's. */
struct vgic_cpu {
	struct vgic_bank local; /* SGIs and PPIs */
	volatile u32 sent;      /* others': interrupts of `local` that they have made pending */
	volatile u32 askers;    /* others': CPUs whose `request` is for this one */
	volatile bool live;     /* under the distributor's lock: it is on; else its redistributor is anybody's who has that lock */
	struct vgic_request request; /* this CPU's, for one that it waits for */
	u16 lr_irq[VGIC_MAX_LRS];
	u32 lr_used;            /* bit n: list register n holds lr_irq[n] */
	u32 lr_spis;            /* ... which is an SPI */
	u32 lr_latched;         /* ... which was pending by itself, whatever its line does */
	u32 lr_stale;           /* ours again, but what it held is still in it */
	u32 n_lrs;
	u32 waker;
	volatile u32 asked, served; /* others', under the distributor's lock: how often they wanted its SPIs, and had them */
	bool waits;             /* something was pending when vgic_flush() looked last */
	bool traps;             /* its CPU interface is vgic_icc.c: ICH_HCR_EL2.TALL0 and TALL1 are set */
};

#endif
