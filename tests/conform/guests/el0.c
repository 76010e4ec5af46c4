/* SPDX-License-Identifier: Apache-2.0 */
/* Single instructions at EL0, under controls of EL1: which exception EL1 receives of each, and where. */
#include "lib.h"

void main1(u64 context) { (void)context; }

/* Runs `code` at EL0 with x5; the exception that it ends in is in `caught`, and what it left in x6. */
static volatile u64 left_x6;
void at_el0(const u32 *code, u64 x5);
asm("at_el0:	str	x30, [sp, #-16]!\n"
    "	mrs	x2, vbar_el1\n"
    "	str	x2, [sp, #8]\n"
    "	adr	x2, el0_vectors\n"
    "	msr	vbar_el1, x2\n"
    "	msr	elr_el1, x0\n"
    "	mov	x2, #0x3c0\n"
    "	msr	spsr_el1, x2\n"
    "	mov	x5, x1\n"
    "	mov	x6, #0\n"
    "	isb\n"
    "	eret\n"
    "	.balign	2048\n"
    "el0_vectors:	.skip	0x200\n"
    "	b	1f\n"			/* an abort of the ERET's own */
    "	.balign	0x80\n"
    "	.skip	0x180\n"
    "1:	adrp	x3, caught\n"
    "	add	x3, x3, :lo12:caught\n"
    "	mrs	x0, esr_el1\n"
    "	mrs	x1, far_el1\n"
    "	mov	x2, #8\n"
    "	stp	x0, x1, [x3]\n"
    "	mrs	x1, elr_el1\n"
    "	stp	x2, x1, [x3, #16]\n"
    "	adrp	x3, left_x6\n"
    "	str	x6, [x3, :lo12:left_x6]\n"
    "	ldr	x2, [sp, #8]\n"
    "	msr	vbar_el1, x2\n"
    "	isb\n"
    "	ldr	x30, [sp], #16\n"
    "	ret\n");

static u32 code[3] __attribute__((aligned(64)));
static void run(const char *name, u32 instruction, u64 x5)
{
	code[0] = instruction;
	code[1] = code[2] = 0xd4000001; /* SVC */
	asm volatile("dc cvau, %0\n\tdsb sy\n\tic ivau, %0\n\tdsb sy\n\tisb" : : "r"(code) : "memory");
	at_el0(code, x5);
	is(name, caught.esr);
	is("  at", caught.pc - (u64)code);
}
static void loads(const char *name, u32 instruction, u64 x5)
{
	run(name, instruction, x5);
	is("  x6", left_x6);
}

/* MRS x6, MSR x5 and SYS x5, of op0, op1, CRn, CRm, op2 */
#define AT(op1, n, m, op2)       ((op1) << 16 | (n) << 12 | (m) << 8 | (op2) << 5)
#define MRS(op0, op1, n, m, op2) (0xd5300006u | ((op0) - 2) << 19 | AT(op1, n, m, op2))
#define MSR(op0, op1, n, m, op2) (0xd5100005u | ((op0) - 2) << 19 | AT(op1, n, m, op2))
#define SYS(op1, n, m, op2)      (0xd5080005u | AT(op1, n, m, op2))
#define RAM 0x40100000UL

static void each(const char *controls)
{
	is(controls, 0);
	loads("CTR_EL0", MRS(3, 3, 0, 0, 1), 0);
	loads("DCZID_EL0", MRS(3, 3, 0, 0, 7), 0);
	run("MIDR_EL1", MRS(3, 0, 0, 0, 0), 0);
	run("MPIDR_EL1", MRS(3, 0, 0, 0, 5), 0);
	run("ID_AA64PFR0_EL1", MRS(3, 0, 0, 4, 0), 0);
	run("a reserved ID register", MRS(3, 0, 0, 7, 7), 0);
	run("CLIDR_EL1", MRS(3, 1, 0, 0, 1), 0);
	run("CCSIDR_EL1", MRS(3, 1, 0, 0, 0), 0);
	loads("CNTFRQ_EL0", MRS(3, 3, 14, 0, 0), 0);
	run("CNTVCT_EL0", MRS(3, 3, 14, 0, 2), 0);
	run("CNTPCT_EL0", MRS(3, 3, 14, 0, 1), 0);
	run("CNTVCTSS_EL0", MRS(3, 3, 14, 0, 6), 0);
	run("CNTPCTSS_EL0", MRS(3, 3, 14, 0, 5), 0);
	run("CNTV_CTL_EL0", MRS(3, 3, 14, 3, 1), 0);
	run("CNTP_CTL_EL0", MRS(3, 3, 14, 2, 1), 0);
	run("CNTV_CVAL_EL0, written", MSR(3, 3, 14, 3, 2), 0);
	run("CNTP_CVAL_EL0, written", MSR(3, 3, 14, 2, 2), 0);
	run("CNTP_TVAL_EL0, written", MSR(3, 3, 14, 2, 0), 0);
	run("CNTFRQ_EL0, written", MSR(3, 3, 14, 0, 0), 0);
	run("CNTKCTL_EL1", MRS(3, 0, 14, 1, 0), 0);
	run("PMCR_EL0", MRS(3, 3, 9, 12, 0), 0);
	run("PMSELR_EL0", MRS(3, 3, 9, 12, 5), 0);
	run("PMXEVCNTR_EL0", MRS(3, 3, 9, 13, 2), 0);
	run("PMEVCNTR0_EL0", MRS(3, 3, 14, 8, 0), 0);
	run("PMEVTYPER0_EL0", MRS(3, 3, 14, 12, 0), 0);
	loads("PMUSERENR_EL0", MRS(3, 3, 9, 14, 0), 0);
	run("PMUSERENR_EL0, written", MSR(3, 3, 9, 14, 0), 0);
	run("PMSWINC_EL0, read", MRS(3, 3, 9, 12, 4), 0);
	run("PMCEID0_EL0", MRS(3, 3, 9, 12, 6), 0);
	run("PMOVSCLR_EL0", MRS(3, 3, 9, 12, 3), 0);
	run("PMINTENSET_EL1", MRS(3, 0, 9, 14, 1), 0);
	run("PMCCFILTR_EL0", MRS(3, 3, 14, 15, 7), 0);
	run("DC ZVA", SYS(3, 7, 4, 1), RAM);
	run("DC CVAC", SYS(3, 7, 10, 1), RAM);
	run("DC CVAU", SYS(3, 7, 11, 1), RAM);
	run("DC CIVAC", SYS(3, 7, 14, 1), RAM);
	run("DC CVAP", SYS(3, 7, 12, 1), RAM);
	run("IC IVAU", SYS(3, 7, 5, 1), RAM);
	run("DC IVAC", SYS(0, 7, 6, 1), RAM);
	run("DC ISW", SYS(0, 7, 6, 2), 0);
	run("TLBI VMALLE1", SYS(0, 8, 7, 0), 0);
	run("AT S1E1R", SYS(0, 7, 8, 0), 0);
	run("MDCCSR_EL0", MRS(2, 3, 0, 1, 0), 0);
	run("DBGDTR_EL0", MRS(2, 3, 0, 4, 0), 0);
	run("DBGDTRTX_EL0, written", MSR(2, 3, 0, 5, 0), 0);
	run("MDSCR_EL1", MRS(2, 0, 0, 2, 2), 0);
	run("OSLSR_EL1", MRS(2, 0, 1, 1, 4), 0);
	run("TPIDRRO_EL0, written", MSR(3, 3, 13, 0, 3), 0);
	run("DAIF", MRS(3, 3, 4, 2, 1), 0);
	run("DAIF, written", MSR(3, 3, 4, 2, 1), 0x3c0);
	run("CurrentEL", MRS(3, 0, 4, 2, 2), 0);
	run("ICC_PMR_EL1", MRS(3, 0, 4, 6, 0), 0);
	run("ICC_IAR1_EL1", MRS(3, 0, 12, 12, 0), 0);
	run("ICC_SGI1R_EL1, written", MSR(3, 0, 12, 11, 5), 0);
	run("HCR_EL2", MRS(3, 4, 1, 1, 0), 0);
	run("SCR_EL3", MRS(3, 6, 1, 1, 0), 0);
	run("SCTLR_EL1", MRS(3, 0, 1, 0, 0), 0);
	run("a vendor's register of EL0", MRS(3, 3, 15, 2, 0), 0);
	run("a vendor's operation", SYS(3, 15, 0, 0), 0);
	run("HVC", 0xd4000002, 0);
	run("SMC", 0xd4000003, 0);
	run("BRK", 0xd42000e0, 0);
	run("HLT", 0xd4400000, 0);
	run("ERET", 0xd69f03e0, 0);
	run("DCPS1", 0xd4a00001, 0);
	run("UDF", 0, 0);
	run("WFI", 0xd503207f, 0); /* something is pending */
	run("WFE", 0xd503205f, 0);
	run("FMOV", 0x9e6600a6, 0);
	run("LDXR", 0xc85f7ca6, RAM);
	/* Devices */
	loads("UARTPeriphID0", 0xb940e0a6, UART + 0xf00);
	run("UARTDR, written", 0xb90000a5, UART);
	loads("RTCPeriphID0", 0xb940e0a6, 0x09010f00);
	loads("GICD_IIDR", 0xb94008a6, GICD);
	loads("GICD_IIDR, LDTR", 0xb84088a6 & ~0x80u, GICD);
	run("a load where nothing is", 0xb94000a6, 0x0b000000);
	run("a store where nothing is", 0xb90000a5, 0x0b000000);
	run("unaligned, memory", 0xb94000a6, RAM + 1);
	run("unaligned, a device", 0xb94000a6, UART + 0x19);
}

void main(void)
{
	const u64 controls = BIT(9) | BIT(14) | BIT(15) | BIT(16) | BIT(18) | BIT(26); /* UMA DZE UCT nTWI nTWE UCI */
	const u64 sctlr = 0x30d00800;

	w32(GICD, 0x12);
	gic_cpu(0);
	w32(SGI(0) + 0x100, 2);
	msr(S3_0_C12_C11_5, 1 | 1UL << 24);
	msr(cntkctl_el1, 0);
	msr(pmuserenr_el0, 0);
	msr(sctlr_el1, sctlr & ~controls);
	each("EL1 allows nothing");
	msr(sctlr_el1, sctlr | controls);
	msr(cntkctl_el1, 0x303);
	msr(pmuserenr_el0, 0xf);
	each("EL1 allows all");
	msr(mdscr_el1, BIT(12));
	msr(cpacr_el1, 1 << 20);
	run("MDCCSR_EL0, MDSCR_EL1.TDCC", MRS(2, 3, 0, 1, 0), 0);
	run("FMOV, CPACR_EL1.FPEN 1", 0x9e6600a6, 0);
	msr(cpacr_el1, 3 << 20);
	off();
}
