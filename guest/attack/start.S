/* SPDX-License-Identifier: Apache-2.0 */
/* Where the attacking guest begins. */

	.section .text.start, "ax"
	.global _start
_start:
	bl	run_prepare
	bl	main
1:	wfi
	b	1b
