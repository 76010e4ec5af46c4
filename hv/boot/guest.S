/* SPDX-License-Identifier: Apache-2.0 */
/* The bundled guest, as a binary inside EL2's constants. */
	.section .guest, "a"
	.balign	16
	.incbin	"guest.bin"
	.balign	8
