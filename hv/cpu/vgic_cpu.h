/* SPDX-License-Identifier: Apache-2.0 */
/* What EL2 keeps of one vCPU's interrupts; vgic.c says what it means. */
#ifndef HV_VGIC_CPU_H
#define HV_VGIC_CPU_H

#include "lib/types.h"

#define VGIC_IRQS    256 /* INTIDs 0..255 */
#define VGIC_BANKS   (VGIC_IRQS / 32)
#define VGIC_MAX_LRS 16
#define VGIC_NO_IRQ  0xffff

/* 32 interrupts. A bit set in `in_lr` means that the pending and active state lives in a list register. */
struct vgic_bank {
	u32 enabled, pending, level, active, group, in_lr;
	u32 hw;   /* the pending state came from the physical interrupt of the same number */
	u32 edge; /* GICD_ICFGR: edge-triggered */
	u8 priority[32];
};

struct vgic_cpu {
	struct vgic_bank local; /* SGIs and PPIs */
	u16 lr_irq[VGIC_MAX_LRS];
	u32 lr_used;            /* bit n: list register n holds lr_irq[n] */
	u32 n_lrs;
	u32 waker;
	bool underflow;         /* ICH_HCR_EL2.UIE is set */
};

#endif
