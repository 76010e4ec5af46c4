/* SPDX-License-Identifier: Apache-2.0 */
/* Single instructions, each run with all of x0 to x30 loaded from memory and stored back. See insn.h. */

	.text

/* x0: the registers. Saves those that a C function must keep; [sp, #248] holds x0. */
enter:
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	sub	sp, sp, #256
	str	x0, [sp, #248]
	mov	x1, sp
	mov	x2, #31
1:	ldr	x3, [x0], #8
	str	x3, [x1], #8
	subs	x2, x2, #1
	b.ne	1b
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ret				/* x30 follows after the call */

leave:
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
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
	str	x30, [sp, #240]
	ldr	x0, [sp, #248]
	mov	x1, sp
	mov	x2, #31
1:	ldr	x3, [x1], #8
	str	x3, [x0], #8
	subs	x2, x2, #1
	b.ne	1b
	add	sp, sp, #256
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret

	/* Five instructions, padded to INSN_STRIDE. */
	.macro	run insn:vararg
	.balign	32
	stp	x29, x30, [sp, #-96]!
	bl	enter
	ldr	x30, [sp, #240]
	\insn
	b	leave
	.endm

	.macro	single name, insn:vararg
	.balign	32
	.global	\name
\name:
	run	\insn
	.endm

	/* For each Rt: \op x\n, \operand */
	.macro	family_mrs name, reg
	.balign	32
	.global	\name
\name:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,zr
	run	mrs x\n, \reg
	.endr
	.endm

	.macro	family_msr name, reg
	.balign	32
	.global	\name
\name:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,zr
	run	msr \reg, x\n
	.endr
	.endm

	/* For each Rt, its address in x1; in x2 where Rt is x1. \w: x or w */
	.macro	family_mem name, op, w
	.balign	32
	.global	\name
\name:
	run	\op \w\()0, [x1]
	run	\op \w\()1, [x2]
	.irp	n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,zr
	run	\op \w\n, [x1]
	.endr
	.endm

	family_mrs insn_mrs_dbgbvr0, dbgbvr0_el1
	family_msr insn_msr_dbgbvr0, dbgbvr0_el1
	family_mrs insn_mrs_actlr, actlr_el1
	family_mem insn_ldrb, ldrb, w
	family_mem insn_ldrh, ldrh, w
	family_mem insn_ldrw, ldr, w
	family_mem insn_ldrx, ldr, x
	family_mem insn_ldrsbw, ldrsb, w
	family_mem insn_ldrsbx, ldrsb, x
	family_mem insn_ldrshw, ldrsh, w
	family_mem insn_ldrshx, ldrsh, x
	family_mem insn_ldrswx, ldrsw, x
	family_mem insn_strb, strb, w
	family_mem insn_strh, strh, w
	family_mem insn_strw, str, w
	family_mem insn_strx, str, x

	single	insn_hvc, hvc #0
	single	insn_hvc_1, hvc #1
	single	insn_smc, smc #0
	single	insn_smc_1, smc #1
	single	insn_ldp, ldp w3, w4, [x1]
	single	insn_ldp_post, ldp w3, w4, [x1], #8
	single	insn_stp, stp w3, w4, [x1]
	single	insn_ldr_post, ldr w3, [x1], #4
	single	insn_str_pre, str w3, [x1, #4]!
	single	insn_ldxr, ldxr w3, [x1]
