/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zeroes registers of EL1 that reset leaves UNKNOWN, a group for each feature. In the section of the replay stubs,
 * where an access to a register that this CPU lacks is passed over (replay.c).
 */

	.macro	group name, registers:vararg
	.global	\name
	.balign	4
\name:
	.irp	register, \registers
	msr	\register, xzr
	.endr
	ret
	.endm

	.section .replay, "ax", %progbits
	/* TTBR0 TTBR1 TCR MAIR AMAIR CONTEXTIDR VBAR ESR FAR AFSR0 AFSR1 ELR SPSR PAR TPIDR_EL0 TPIDRRO TPIDR_EL1 */
	group	reset_core, actlr_el1, cpacr_el1, ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1, contextidr_el1, \
		vbar_el1, esr_el1, far_el1, afsr0_el1, afsr1_el1, elr_el1, spsr_el1, par_el1, tpidr_el0, tpidrro_el0, \
		tpidr_el1, csselr_el1, cntkctl_el1, cntv_ctl_el0, cntv_cval_el0, cntp_ctl_el0, cntp_cval_el0, \
		mdscr_el1, mdccint_el1
	/* OSDTRRX_EL1 OSDTRTX_EL1 OSECCR_EL1: every CPU has them, QEMU only from 8 on */
	group	reset_dcc, S2_0_C0_C0_2, S2_0_C0_C3_2, S2_0_C0_C6_2
	/* APIAKey, APIBKey, APDAKey, APDBKey, APGAKey: Lo, Hi */
	group	reset_pauth, S3_0_C2_C1_0, S3_0_C2_C1_1, S3_0_C2_C1_2, S3_0_C2_C1_3, S3_0_C2_C2_0, S3_0_C2_C2_1, \
		S3_0_C2_C2_2, S3_0_C2_C2_3, S3_0_C2_C3_0, S3_0_C2_C3_1
	/* TCR2_EL1 SCTLR2_EL1 PIRE0_EL1 PIR_EL1 POR_EL1 POR_EL0 S2POR_EL1 MAIR2_EL1 AMAIR2_EL1 */
	group	reset_mmu2, S3_0_C2_C0_3, S3_0_C1_C0_3, S3_0_C10_C2_2, S3_0_C10_C2_3, S3_0_C10_C2_4, S3_3_C10_C2_4, \
		S3_0_C10_C2_5, S3_0_C10_C2_1, S3_0_C10_C3_1
	/* SCTLRMASK ACTLRMASK CPACRMASK SCTLR2MASK TCRMASK TCR2MASK RCWSMASK RCWMASK */
	group	reset_masks, S3_0_C1_C4_0, S3_0_C1_C4_1, S3_0_C1_C4_2, S3_0_C1_C4_3, S3_0_C2_C7_2, S3_0_C2_C7_3, \
		S3_0_C13_C0_3, S3_0_C13_C0_6
	/* DISR_EL1; ERRSELR_EL1, which may be UNDEFINED without error records */
	group	reset_ras, S3_0_C12_C1_1, S3_0_C5_C3_1
	/* PFAR_EL1 */
	group	reset_pfar, S3_0_C6_C0_5
	/* LORC_EL1 first: it enables the others */
	group	reset_lor, S3_0_C10_C4_3, S3_0_C10_C4_0, S3_0_C10_C4_1, S3_0_C10_C4_2
	/* RGSR_EL1 GCR_EL1 TFSR_EL1 TFSRE0_EL1 */
	group	reset_mte, S3_0_C1_C0_5, S3_0_C1_C0_6, S3_0_C5_C6_0, S3_0_C5_C6_1
	/* SCXTNUM_EL1 SCXTNUM_EL0 */
	group	reset_scxtnum, S3_0_C13_C0_7, S3_3_C13_C0_7
	/* MPAM1_EL1 MPAM0_EL1 MPAMSM_EL1 */
	group	reset_mpam, S3_0_C10_C5_0, S3_0_C10_C5_1, S3_0_C10_C5_3
	/* GCSCR_EL1 GCSPR_EL1 GCSCRE0_EL1 GCSPR_EL0 */
	group	reset_gcs, S3_0_C2_C5_0, S3_0_C2_C5_1, S3_0_C2_C5_2, S3_3_C2_C5_1
	/* ACCDATA_EL1 */
	group	reset_ls64, S3_0_C13_C0_5
	/* AMUSERENR_EL0 */
	group	reset_amu, S3_3_C13_C2_3
	/* BRBCR_EL1 BRBFCR_EL1 BRBTS_EL1 BRBINFINJ_EL1 BRBSRCINJ_EL1 BRBTGTINJ_EL1 */
	group	reset_brbe_registers, S2_1_C9_C0_0, S2_1_C9_C0_1, S2_1_C9_C0_2, S2_1_C9_C1_0, S2_1_C9_C1_1, S2_1_C9_C1_2
	/* PMICNTR_EL0 PMICFILTR_EL0 PMSSCR_EL1 PMUACR_EL1 PMECR_EL1 PMIAR_EL1 */
	group	reset_pmu2, S3_3_C9_C4_0, S3_3_C9_C6_0, S3_0_C9_C13_3, S3_0_C9_C14_4, S3_0_C9_C14_5, S3_0_C9_C14_7
	/* MDSELR_EL1 MDSTEPOP_EL1 */
	group	reset_debug2, S2_0_C0_C4_2, S2_0_C0_C5_2
	/* ZCR_EL1 */
	group	reset_sve, S3_0_C1_C2_0
	/* SMPRI_EL1 SMCR_EL1 TPIDR2_EL0 */
	group	reset_sme, S3_0_C1_C2_4, S3_0_C1_C2_6, S3_3_C13_C0_5
	/* FPMR */
	group	reset_fpmr, S3_3_C4_C4_2

	.global	reset_brbe
reset_brbe:
	sys	#1, c7, c2, #4, xzr		/* BRB IALL */
	b	reset_brbe_registers

	/* void reset_debug(unsigned breakpoints, unsigned watchpoints): clears so many, up to 16 each */
	.global	reset_debug
reset_debug:
	mov	w2, #16
	adr	x3, 1f
	sub	w0, w2, w0
	add	x3, x3, w0, uxtw #3
	adr	x4, 2f
	sub	w1, w2, w1
	add	x4, x4, w1, uxtw #3
	br	x3
1:	.irp	n, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
	msr	dbgbcr\n\()_el1, xzr
	msr	dbgbvr\n\()_el1, xzr
	.endr
	br	x4
2:	.irp	n, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
	msr	dbgwcr\n\()_el1, xzr
	msr	dbgwvr\n\()_el1, xzr
	.endr
	mov	w0, #0xff
	msr	S2_0_C7_C9_6, x0		/* DBGCLAIMCLR_EL1 */
	ret
