/* SPDX-License-Identifier: Apache-2.0 */
/* The bench guest's entry, its one exception vector, and a loop for every operation that is measured. */

	.section .text.start, "ax"
	.global _start
_start:
	mrs	x0, cntpct_el0		/* the first instruction: instructions before it are boot */
	adr	x1, vectors
	msr	vbar_el1, x1
	ldr	x1, =0x40100000
	mov	sp, x1
	isb
	bl	main
	ldr	w0, =0x84000008		/* PSCI SYSTEM_OFF */
	smc	#0
	b	.

	.balign	0x800
vectors:
	.space	0x200
	/* Synchronous, from EL1: an UNDEF that EL2 injected, or `udf`. Four instructions. */
	mrs	x16, elr_el1
	add	x16, x16, #4
	msr	elr_el1, x16
	eret
	.balign	0x80
	/* IRQ: `x17` leads into the padding below: sixteen runs find which of a tick's sixteen instructions it was. */
	br	x17
	.balign	0x800

	/* Sixteen ways into timer_seen: from 0 to 15 instructions before it (x17 = timer_pad + 4 * (16 - n)). */
	.global	timer_pad
timer_pad:
	.rept	16
	nop
	.endr
	mrs	x10, cntvct_el0
	mrs	x12, icc_iar1_el1
	msr	cntv_ctl_el0, xzr
	msr	icc_eoir1_el1, x12
	mrs	x11, cntvct_el0
	mov	x13, #1
	eret

/*
 * void bench_timer(u64 ticks, const void *pad, u64 out[2]): one tick of the virtual timer. out: from its deadline to
 * the first instruction behind the padding, and from there to the one behind the EOI.
 */
	.global	bench_timer
bench_timer:
	mov	x17, x1
	mov	x13, xzr
	mrs	x9, cntvct_el0
	add	x9, x9, x0
	msr	cntv_cval_el0, x9
	mov	x8, #1
	msr	cntv_ctl_el0, x8
	msr	daifclr, #2
	isb
1:	cbz	x13, 1b
	msr	daifset, #2
	sub	x9, x10, x9
	sub	x11, x11, x10
	stp	x9, x11, [x2]
	ret

/*
 * u64 bench_NAME(u64 n): counter ticks of n rounds of the given instructions, with the measured one at op_NAME;
 * base_NAME is the same loop without it.
 */
#define ROUNDS(name, ...) \
	.balign	64; \
	.global	bench_##name; \
bench_##name: \
	mov	x9, x0; \
	mov	x4, 0x0a000000;		/* nothing */ \
	mov	x5, 0x08000000;		/* the distributor */ \
	mov	x6, 0x09000000;		/* the UART */ \
	mrs	x7, cntvct_el0; \
1:	__VA_ARGS__; \
	subs	x9, x9, 1; \
	b.ne	1b; \
	mrs	x8, cntvct_el0; \
	sub	x0, x8, x7; \
	ret

	/* Loops of known length: two instructions a round, plus those between. */
ROUNDS(known_0)
ROUNDS(known_1, nop)
ROUNDS(known_10, .rept 10; nop; .endr)
ROUNDS(known_100, .rept 100; nop; .endr)

ROUNDS(base_hvc, mov x0, #0; mov x1, #0)
ROUNDS(hvc, mov x0, #0; mov x1, #0; op_hvc: hvc #0)
ROUNDS(base_psci, mov w0, #0x84000000)
ROUNDS(psci, mov w0, #0x84000000; op_psci: smc #0)
	/*
	 * A trapped read leaves QEMU's block in the middle, after QEMU has counted all of it. The branch ends the
	 * block, so that it is one instruction too many, which bench.py subtracts.
	 */
ROUNDS(base_id, b 2f; 2:)
ROUNDS(id, op_id: mrs x1, id_aa64pfr0_el1; b 2f; 2:)
ROUNDS(base_masked, b 2f; 2:)
ROUNDS(masked, op_masked: mrs x1, id_aa64isar0_el1; b 2f; 2:)
ROUNDS(base_denied, udf #0; b 2f; 2:)
ROUNDS(denied, op_denied: mrs x1, pmccntr_el0; b 2f; 2:)
ROUNDS(base_typer)
ROUNDS(typer, op_typer: ldr w1, [x5, #4])
ROUNDS(base_enable_read)
ROUNDS(enable_read, op_enable_read: ldr w1, [x5, #0x104])
ROUNDS(base_enable_write)
ROUNDS(enable_write, op_enable_write: str wzr, [x5, #0x104])
ROUNDS(base_sgi)
ROUNDS(sgi, op_sgi: msr icc_sgi1r_el1, xzr)
	/* Behind timer(), which has put all of its interrupts into group 1 and enabled one other. */
ROUNDS(base_sgi_self, mov x1, #1; movk x1, #0x100, lsl #16)
ROUNDS(sgi_self, mov x1, #1; movk x1, #0x100, lsl #16; op_sgi_self: msr icc_sgi1r_el1, x1)
ROUNDS(base_redist_write, mov x1, #0x080b0000)
ROUNDS(redist_write, mov x1, #0x080b0000; op_redist_write: str wzr, [x1, #0x100])
ROUNDS(base_uart_flags)
ROUNDS(uart_flags, op_uart_flags: ldr w1, [x6, #0x18])
ROUNDS(base_uart_mask)
ROUNDS(uart_mask, op_uart_mask: str wzr, [x6, #0x38])
ROUNDS(base_denied_mmio, udf #0)
ROUNDS(denied_mmio, op_denied_mmio: ldr w1, [x4])
	/* The same register twice, counted only and always logged; x9 makes each record differ. */
ROUNDS(base_unlogged)
ROUNDS(unlogged, op_unlogged: msr pmuserenr_el0, x9)
ROUNDS(base_logged)
ROUNDS(logged, op_logged: msr pmcntenset_el0, x9)
