/* SPDX-License-Identifier: Apache-2.0 */
/* Between vgic.c, which keeps the state of each interrupt, and vgic_regs.c, which shows it to the guest. */
#ifndef HV_VGIC_STATE_H
#define HV_VGIC_STATE_H

#include "cpu/cpu.h"
#include "dev/vgic.h"

#define GICD_CTLR_GRP0 BIT(0)
#define GICD_CTLR_GRP1 BIT(1)

static inline struct vgic_bank *vgic_bank_of(struct cpu *c, u32 irq)
{
	return irq < 32 ? &c->vgic.local : &vgic_dist.spi[irq / 32 - 1];
}

/* The CPU looks at its interrupts before its guest goes on. */
void vgic_attend(struct cpu *c);
/* All that follows is under the distributor's lock. Takes back list registers that the guest has finished with. */
void vgic_collect(struct cpu *c);
/* Makes `irq` pending once. */
void vgic_make_pending(struct cpu *c, u32 irq);
/* Takes back or updates the list register that holds interrupt `bit` of a bank. */
typedef u64 vgic_editor(struct vgic_bank *b, u32 bit, u64 lr);
/* For each list register of this CPU that holds one of `mask` of bank `b`; another CPU is made to look. */
void vgic_edit(struct cpu *c, struct vgic_bank *b, u32 mask, vgic_editor *edit);
/* Not pending any more. A physical interrupt behind it may fire again. */
vgic_editor vgic_clear_pending;
/* Pending, but not to be taken now: back to the soft state. */
vgic_editor vgic_take_back;
vgic_editor vgic_clear_active;
/* Which of a bank's interrupts are pending and active, wherever that state is. */
void vgic_state_of(struct cpu *c, struct vgic_bank *b, u32 *pending, u32 *active);

#endif
