/* SPDX-License-Identifier: Apache-2.0 */
/* Entry of the attacking guest's CPUs: the first, and each that floods turn on. */

	.section .text.start, "ax"
	.global _start
_start:
	bl	run_prepare
	bl	main
1:	wfi
	b	1b

	.text
	.global	second
second:
	mov	x19, x0
	bl	run_prepare
	mov	x0, x19
	bl	main_again
	b	.
