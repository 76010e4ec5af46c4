/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakpoint and watchpoint registers by number: stubs of the shape that replay_read() and replay_write() call, 16
 * bytes each, the value register's before the control register's.
 */

	.macro	stub register
	mrs	x0, \register
	ret
	msr	\register, x0
	ret
	.endm

	.section .text.debug_registers, "ax"
	.balign	16
	.global	debug_registers
debug_registers:
	.irp	n, 0, 1, 2, 3, 4, 5
	stub	dbgbvr\n\()_el1
	stub	dbgbcr\n\()_el1
	.endr
	.irp	n, 0, 1, 2, 3
	stub	dbgwvr\n\()_el1
	stub	dbgwcr\n\()_el1
	.endr
