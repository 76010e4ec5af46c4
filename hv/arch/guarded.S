/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device accesses on the guest's behalf that may end in an external abort: vectors.S sends an EL2 abort whose ELR_EL2
 * lies between guarded_begin and guarded_end to guarded_fault. They use x0 to x4 only.
 */
	.section .text.guarded, "ax"
	.global guarded_read, guarded_write, guarded_begin, guarded_end, guarded_fault

/* bool guarded_read(u64 pa, unsigned size, u64 *value) */
guarded_read:
	mov	x4, x0
	cmp	w1, #4
	b.eq	4f
	b.hi	8f
	cmp	w1, #2
	b.eq	2f
guarded_begin:
	ldrb	w3, [x4]
	b	9f
2:	ldrh	w3, [x4]
	b	9f
4:	ldr	w3, [x4]
	b	9f
8:	ldr	x3, [x4]
9:	dsb	sy			/* makes a late abort belong to this access */
	str	x3, [x2]
	mov	w0, #1
	ret

/* bool guarded_write(u64 pa, unsigned size, u64 value) */
guarded_write:
	mov	x4, x0
	cmp	w1, #4
	b.eq	4f
	b.hi	8f
	cmp	w1, #2
	b.eq	2f
	strb	w2, [x4]
	b	9f
2:	strh	w2, [x4]
	b	9f
4:	str	w2, [x4]
	b	9f
8:	str	x2, [x4]
9:	dsb	sy
	mov	w0, #1
guarded_end:
	ret

guarded_fault:
	mov	w0, #0
	ret
