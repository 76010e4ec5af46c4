/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of SIMD, SVE and SME: cleared, saved, loaded. CPTR_EL2 must not trap; ZCR_EL2 and SMCR_EL2 must allow
 * every length.
 */
	.arch	armv8.2-a+fp+simd+sve

	.section .text.fpregs, "ax"
	.global	fp_clear, fp_save, fp_load, sve_clear, sme_clear
/* V0 to V31, the low 128 bits of Z0 to Z31; a write clears the bits above (Arm ARM, "Vector registers") */
fp_clear:
	mov	x3, x30
	stp	xzr, xzr, [sp, #-16]!
	mov	x1, sp
	mov	x0, #31
1:	bl	fp_load
	subs	x0, x0, #1
	b.pl	1b
	add	sp, sp, #16
	msr	fpcr, xzr
	msr	fpsr, xzr
	ret	x3

/* void fp_save(u64 v[64]): V0 to V31 */
	.altmacro
	.macro	save2 m, n
	stp	q\m, q\n, [x0, #16 * \m]
	.endm
fp_save:
	.set	i, 0
	.rept	16
	save2	%i, %i + 1
	.set	i, i + 2
	.endr
	ret
	.noaltmacro

/* void fp_load(unsigned n, const u64 v[2]): Vn alone; no register but x2 is touched */
fp_load:
	adr	x2, 1f
	add	x2, x2, x0, lsl #3
	br	x2
1:	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	ldr	q\n, [x1]
	ret
	.endr

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
