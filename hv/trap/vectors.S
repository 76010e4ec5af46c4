/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sixteen slots, and the only save and restore of a guest.
 *
 * While a guest runs, SP_EL2 points at its struct trap_frame on top of this CPU's stack (cpu.h): a slot stores to fixed
 * offsets, and C's stack grows down from there. Interrupts stay masked until ERET, but for FIQ: the watchdog's timer
 * (watchdog.c) comes as soon as the guest is saved.
 */
#include "board/board.h"
#include "cpu/frame.h"

	.macro	save_x_from_4
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	stp	x30, xzr, [sp, #FRAME_X30]
	.endm

	.macro	save_x
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	save_x_from_4
	.endm

	.macro	save_state
	mrs	x1, esr_el2			/* also the handler's second argument */
	mrs	x2, far_el2
	mrs	x3, hpfar_el2
	mrs	x4, elr_el2
	mrs	x5, spsr_el2
	mrs	x6, sp_el0
	mrs	x7, sp_el1
	stp	x1, x2, [sp, #FRAME_ESR]
	str	x3, [sp, #FRAME_HPFAR]
	stp	x4, x5, [sp, #FRAME_ELR]
	stp	x6, x7, [sp, #FRAME_SP_EL0]
	.endm

	.macro	restore_x
	ldp	x0, x1, [sp, #FRAME_ELR]
	msr	elr_el2, x0
	msr	spsr_el2, x1
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp, #0]
	ldr	x30, [sp, #FRAME_X30]
	.endm

	/*
	 * From the guest: 27 instructions save it, four hand it over; the handler returns into guest_return. The
	 * assembler fails when a slot overflows.
	 */
	.macro	guest_slot number, handler
	.org	vectors + 0x80 * \number
	save_x
	save_state
	msr	daifclr, #1
	mov	x0, sp
	adr	x30, guest_return
	b	\handler
	.endm

	/* From EL2 itself: only FIQ is expected, and rare, so all of it is out of line. */
	.macro	el2_slot kind
	.org	vectors + 0x80 * \kind
	sub	sp, sp, #FRAME_SIZE
	/*
	 * Whether SP is above the guard page (board.h: offsets 0x1000 to 0x2fff of its block), asked without memory
	 * accesses.
	 */
	add	sp, sp, x0
	sub	x0, sp, x0			/* x0 = SP, SP = SP + x0 */
	tbnz	x0, #12, 1f
	tbnz	x0, #13, 1f
	mov	x1, #(\kind | 16)
	b	el2_stack_overflow
1:	sub	x0, sp, x0
	sub	sp, sp, x0
	stp	x0, x1, [sp, #0]
	mov	x1, #\kind
	b	el2_exception
	.endm

/*
 * EL2's own exception. Three cases: a device access on the guest's behalf that the device refused (goes to its
 * fixup); the stack ran into its guard page (SP is useless: the emergency stack); anything else. The last two end
 * in el2_panic(frame, kind), which returns from the watchdog's FIQ alone. x1 = kind, + 16 for a lost stack, whose x0
 * and x1 are lost too. All of it fills what the slots leave free.
 */

	.section .text.vectors, "ax"
	.balign	0x800
	.global	vectors
vectors:
	el2_slot 0				/* current EL with SP_EL0: EL2 never selects it */
el2_stack_overflow:
	adrp	x0, emergency_stack_end
	add	x0, x0, :lo12:emergency_stack_end
	sub	sp, x0, #FRAME_SIZE
	stp	xzr, xzr, [sp, #0]
	b	el2_report
	el2_slot 1
el2_exception:
	cmp	x1, #4
	b.ne	el2_report
	mrs	x0, elr_el2
	adr	x1, guarded_begin
	cmp	x0, x1
	b.lo	1f
	adr	x1, guarded_end
	cmp	x0, x1
	b.lo	el2_device_refused
1:	mov	x1, #4
	b	el2_report
	el2_slot 2
el2_device_refused:
	adrp	x1, el2_fault
	add	x1, x1, :lo12:el2_fault
	str	x0, [x1]
	mrs	x0, far_el2
	str	x0, [x1, #8]
	mrs	x0, esr_el2
	str	x0, [x1, #16]
	adr	x0, guarded_fault
	msr	elr_el2, x0
	ldp	x0, x1, [sp, #0]
	add	sp, sp, #FRAME_SIZE
	eret
	dsb	nsh				/* no speculation past ERET */
	isb
	el2_slot 3
el2_report:
	stp	x2, x3, [sp, #16]
	save_x_from_4
	mov	x8, x1
	b	el2_report_state
	el2_slot 4				/* current EL with SP_ELx: synchronous, IRQ, FIQ, SError */
el2_report_state:
	save_state
	mov	x0, sp
	mov	x1, x8
	bl	el2_panic
	b	el2_resume
	el2_slot 5
	el2_slot 6
	el2_slot 7
	guest_slot 8, trap_sync			/* lower EL, AArch64 */
	guest_slot 9, trap_irq
	guest_slot 10, trap_irq			/* FIQ: still pending, so EL2 takes it again through slot 6 as soon as it is unmasked here */
	guest_slot 11, trap_serror
	guest_slot 12, trap_sync32			/* lower EL, AArch32: EL2 cannot forbid it at EL0 */
	guest_slot 13, trap_irq
	guest_slot 14, trap_irq
	guest_slot 15, trap_serror
	.org	vectors + 0x800

/*
 * Back to the guest. EL2 does not touch SP_EL0 and SP_EL1, so they are not restored here: code that changes them in the
 * frame (the monitor, guest_enter) writes the registers too. An FIQ here overwrites ELR_EL2; watchdog.c then returns to
 * the start of this restore, which the intact frame allows.
 */
	.global	guest_return, guest_returned
guest_return:
	restore_x
	eret
guest_returned:
	dsb	nsh				/* no speculation past ERET */
	isb
el2_resume:
	restore_x
	add	sp, sp, #FRAME_SIZE
	eret
	dsb	nsh
	isb
