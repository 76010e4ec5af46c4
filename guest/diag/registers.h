/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system registers and operations that sysregs.c tries. Each needs its probes in probes.txt: NAME_R (`read NAME`)
 * and NAME_W (`write NAME`).
 *
 *   RO(name)          read
 *   RW(name, bits)    read, and written with `bits` inverted for a moment (0: writes back the value read)
 *   WO(name, value)   written
 *   GAP(name)         read; QEMU 7.2 lets the guest reach it in spite of HCR_EL2.TIDCP
 *   OP(name, insn)    a SYS instruction without operand
 *   OPX(name, insn)   the same with the address of a buffer
 *   OPZ(name, insn)   the same with zero (set 0 of way 0, ASID 0)
 *
 * Inverting `bits` must be harmless with the MMU off, the timers stopped and the debug logic disabled, and EL2 must not
 * filter them (as it has to PMCCFILTR_EL0.NSH).
 */
#ifndef GUEST_REGISTERS_H
#define GUEST_REGISTERS_H

#define GUEST_REGISTERS(RO, RW, WO, GAP) \
	/* identification: HCR_EL2.TID1, TID2, TID3, or VPIDR_EL2 */ \
	RO(MIDR_EL1) \
	RO(MPIDR_EL1) \
	RO(REVIDR_EL1) \
	RO(AIDR_EL1) \
	RO(ID_PFR0_EL1) \
	RO(ID_AA64PFR0_EL1) \
	RO(ID_AA64PFR1_EL1) \
	RO(ID_AA64DFR0_EL1) \
	RO(ID_AA64ISAR0_EL1) \
	RO(ID_AA64MMFR0_EL1) \
	RO(ID_AA64MMFR1_EL1) \
	RO(CTR_EL0) \
	RO(DCZID_EL0) \
	RO(CLIDR_EL1) \
	RO(CCSIDR_EL1) \
	RW(CSSELR_EL1, 0x2) \
	/* memory: HCR_EL2.TVM, TRVM. Bits of SCTLR_EL1: DZE, UCT, UCI */ \
	RW(SCTLR_EL1, 0x0400c000) \
	RW(TTBR0_EL1, 0x00000ffffffff000) \
	RW(TTBR1_EL1, 0x00000ffffffff000) \
	RW(TCR_EL1, 0x003f003f) \
	RW(MAIR_EL1, 0xffffffffffffffff) \
	RW(AMAIR_EL1, 0) \
	RW(CONTEXTIDR_EL1, 0xffffffff) \
	RW(ESR_EL1, 0x01ffffff) \
	RW(FAR_EL1, 0xffffffffffffffff) \
	RW(AFSR0_EL1, 0) \
	RW(AFSR1_EL1, 0) \
	/* HCR_EL2.TACR, CPTR_EL2.TCPAC; before FEAT_FGT no control traps the thread registers */ \
	RW(ACTLR_EL1, 0) \
	RW(CPACR_EL1, 0x00300000) \
	RW(TPIDR_EL1, 0xffffffffffffffff) \
	RW(TPIDR_EL0, 0xffffffffffffffff) \
	RW(TPIDRRO_EL0, 0xffffffffffffffff) \
	/* timers: CNTHCTL_EL2 */ \
	RO(CNTFRQ_EL0) \
	RO(CNTVCT_EL0) \
	RO(CNTPCT_EL0) \
	RW(CNTKCTL_EL1, 0x3) \
	RW(CNTP_CTL_EL0, 0x2) \
	RW(CNTP_CVAL_EL0, 0xffffffffffffffff) \
	RW(CNTV_CTL_EL0, 0x2) \
	RW(CNTV_CVAL_EL0, 0xffffffffffffffff) \
	/* debug: MDCR_EL2.TDA, TDOSA, TDRA */ \
	RO(MDRAR_EL1) \
	RO(OSLSR_EL1) \
	WO(OSLAR_EL1, 0) \
	WO(OSDLR_EL1, 0) \
	RW(MDSCR_EL1, 0) \
	RW(DBGBVR0_EL1, 0x00007ffffffffffc) \
	RW(DBGBCR0_EL1, 0) \
	RW(DBGWVR0_EL1, 0x00007ffffffffffc) \
	/* performance monitors: MDCR_EL2.TPM, TPMCR */ \
	RW(PMCR_EL0, 0x8) \
	RO(PMCEID0_EL0) \
	RW(PMSELR_EL0, 0x3) \
	RW(PMUSERENR_EL0, 0xf) \
	RW(PMEVTYPER0_EL0, 0x3f) \
	RW(PMCCFILTR_EL0, 0xc0000000) \
	RW(PMCCNTR_EL0, 0) \
	WO(PMSWINC_EL0, 0) \
	/* GIC: HCR_EL2.IMO for the SGIs (an empty target list), ICH_HCR_EL2 */ \
	RO(ISR_EL1) \
	RO(ICC_SRE_EL1) \
	RO(ICC_RPR_EL1) \
	RO(ICC_CTLR_EL1) \
	RW(ICC_PMR_EL1, 0xf8) \
	RW(ICC_IGRPEN1_EL1, 0x1) \
	WO(ICC_EOIR1_EL1, 1023) \
	WO(ICC_SGI1R_EL1, 0) \
	WO(ICC_SGI0R_EL1, 0) \
	WO(ICC_ASGI1R_EL1, 0) \
	/* IMPLEMENTATION DEFINED: L2CTLR_EL1, CPUACTLR_EL1 of a Cortex-A57, and one that it lacks */ \
	GAP(S3_1_C11_C0_2) \
	GAP(S3_1_C15_C2_0) \
	GAP(S3_0_C15_C2_4)

#define GUEST_OPERATIONS(OP, OPX, OPZ) \
	OP(TLBI_VMALLE1, "tlbi vmalle1") \
	OP(TLBI_VMALLE1IS, "tlbi vmalle1is") \
	OPZ(TLBI_VAE1IS, "tlbi vae1is") \
	OPZ(TLBI_VAAE1IS, "tlbi vaae1is") \
	OP(IC_IALLU, "ic iallu") \
	OP(IC_IALLUIS, "ic ialluis") \
	OPX(IC_IVAU, "ic ivau") \
	OPX(DC_IVAC, "dc ivac") \
	OPX(DC_CVAC, "dc cvac") \
	OPX(DC_CVAU, "dc cvau") \
	OPX(DC_CIVAC, "dc civac") \
	OPZ(DC_ISW, "dc isw") \
	OPZ(DC_CSW, "dc csw") \
	OPZ(DC_CISW, "dc cisw") \
	OPX(AT_S1E1R, "at s1e1r")

#endif
