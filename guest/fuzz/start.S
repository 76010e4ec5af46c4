/* SPDX-License-Identifier: Apache-2.0 */
/* Entry of the hostile guest's CPUs: the first, and each that is turned on. */

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
	bl	run_prepare
	bl	main_again
	b	.
