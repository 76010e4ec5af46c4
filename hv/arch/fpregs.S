/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of SIMD, SVE and SME, cleared. CPTR_EL2 must not trap, and ZCR_EL2 and SMCR_EL2 allow every length. */
	.arch	armv8.2-a+fp+simd+sve

	.section .text.fpregs, "ax"
	.global	fp_clear, sve_clear, sme_clear
/* V0 to V31: of Z0 to Z31 the low 128 bits, and whatever lies above is cleared by a write (Arm ARM, "Vector registers") */
fp_clear:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	movi	v\n\().2d, #0
	.endr
	msr	fpcr, xzr
	msr	fpsr, xzr
	ret

/* Behind fp_clear(): P0 to P15 and FFR. */
sve_clear:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	pfalse	p\n\().b
	.endr
	wrffr	p0.b
	ret

/*
 * Before fp_clear(): PSTATE.ZA and PSTATE.SM go up, which clears ZA, ZT0 and the vectors of streaming mode, and down, which
 * clears Z, P and FFR and sets FPSR (Arm ARM, "PSTATE.SM", "PSTATE.ZA").
 */
sme_clear:
	.inst	0xd503477f			/* SMSTART */
	.inst	0xd503467f			/* SMSTOP */
	msr	S3_3_C4_C2_2, xzr		/* SVCR: QEMU 7.2 keeps what was written beside SM and ZA */
	ret
