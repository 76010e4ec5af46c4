/* SPDX-License-Identifier: Apache-2.0 */
/* Clears the registers of SIMD, SVE and SME. CPTR_EL2 must not trap; ZCR_EL2 and SMCR_EL2 must allow every length. */
	.arch	armv8.2-a+fp+simd+sve

	.section .text.fpregs, "ax"
	.global	fp_clear, sve_clear, sme_clear
/* V0 to V31, the low 128 bits of Z0 to Z31; a write clears the bits above (Arm ARM, "Vector registers") */
fp_clear:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	movi	v\n\().2d, #0
	.endr
	msr	fpcr, xzr
	msr	fpsr, xzr
	ret

/* P0 to P15 and FFR. Call it after fp_clear(). */
sve_clear:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	pfalse	p\n\().b
	.endr
	wrffr	p0.b
	ret

/*
 * Sets PSTATE.ZA and PSTATE.SM, which clears ZA, ZT0 and the vectors of streaming mode, then clears them, which clears
 * Z, P and FFR and sets FPSR (Arm ARM, "PSTATE.SM", "PSTATE.ZA"). Call it before fp_clear().
 */
sme_clear:
	.inst	0xd503477f			/* SMSTART */
	.inst	0xd503467f			/* SMSTOP */
	msr	S3_3_C4_C2_2, xzr		/* SVCR: QEMU 7.2 keeps other written bits than SM and ZA */
	ret
