/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches (@B): decisions packed into base64url, about a quarter of their text. tools/hvl/batch.py unpacks them.
 *
 * The first byte is the format, 1. Each record is two bytes of flags and the fields that they announce, numbers as
 * LEB128:
 *   verdict:3 EL:2 rule:1 esr:1 pc:1, value:1 addr:1 aux:1 run:1 tells:2 0:2
 *   time, cost; then rule, esr, pc, value, addr, aux, n and the time since the first, as announced.
 * time and pc are signed differences from the record before in the line (zigzag), esr, value, addr and aux are its
 * exclusive or; the first record follows one of zeros. A field without announcement is the same as in the record
 * before. Thus every line can be read by itself.
 */
#include "arch/arch.h"
#include "cpu/cpu.h"
#include "cpu/esr.h"
#include "log/evidence.h"

#define FORMAT 1

enum { F_RULE = 0x20, F_ESR = 0x40, F_PC = 0x80, F_VALUE = 0x100, F_ADDR = 0x200, F_AUX = 0x400, F_RUN = 0x800, TELLS = 12 };

struct packer {
	char *at;
	u32 bits, n; /* the last `bits` bits, not yet a character */
};

static char digit(u32 six)
{
	static const char digits[64] __attribute__((nonstring)) =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	return digits[six & 63];
}

static void put(struct packer *p, u8 byte)
{
	p->bits = p->bits << 8 | byte;
	for (p->n += 8; p->n >= 6; p->n -= 6)
		*p->at++ = digit(p->bits >> (p->n - 6));
}

static void put_number(struct packer *p, u64 v)
{
	for (; v >= 0x80; v >>= 7)
		put(p, (u8)(v | 0x80));
	put(p, (u8)v);
}

static void put_signed(struct packer *p, u64 difference)
{
	put_number(p, difference << 1 ^ -(difference >> 63));
}

/* Packs the fields that the record's text shows, so that a batch says the same. */
struct fields {
	u64 time, pc, value, addr, aux;
	u32 esr, rule;
};

static bool shows_aux(const struct log_record *r)
{
	if (POLICY_MEMORY && policy_rows[r->row].tells == TELLS_RAM)
		return r->n == 1;
	switch (esr_class(r->esr)) {
	case 0x12:
	case 0x13:
	case EC_HVC64:
	case EC_SMC64:
		return true;
	case EC_DABT_LOW: /* FAR of DABT_WALK and DABT_NO_SYNDROME; in a run the time of the last one is stored there */
		return r->n == 1 && (r->esr & DABT_S1PTW || !(r->esr & DABT_ISV));
	}
	return false;
}

static void put_record(struct packer *p, struct cpu *c, const struct log_record *r, struct fields *before)
{
	struct fields f = { .time = r->time, .pc = r->pc, .value = r->value, .addr = r->addr, .aux = before->aux,
			    .esr = r->esr, .rule = policy_rows[r->row].rule };
	u32 announced = INFO_VERDICT(r->info) % V_COUNT | (u32)INFO_EL(r->info) << 3;

	if (shows_aux(r))
		f.aux = r->aux;
	if (log_unread(r))
		f.value = before->value;
	announced |= (f.rule != before->rule ? F_RULE : 0) | (f.esr != before->esr ? F_ESR : 0) |
		(f.pc != before->pc ? F_PC : 0) | (f.value != before->value ? F_VALUE : 0) |
		(f.addr != before->addr ? F_ADDR : 0) | (f.aux != before->aux ? F_AUX : 0) | (r->n > 1 ? F_RUN : 0) |
		(u32)policy_rows[r->row].tells << TELLS;
	put(p, (u8)announced);
	put(p, (u8)(announced >> 8));
	put_signed(p, f.time - before->time);
	put_number(p, log_cost(c, r));
	if (announced & F_RULE)
		put_number(p, f.rule);
	if (announced & F_ESR)
		put_number(p, f.esr ^ before->esr);
	if (announced & F_PC)
		put_signed(p, f.pc - before->pc);
	if (announced & F_VALUE)
		put_number(p, f.value ^ before->value);
	if (announced & F_ADDR)
		put_number(p, f.addr ^ before->addr);
	if (announced & F_AUX)
		put_number(p, f.aux ^ before->aux);
	if (announced & F_RUN) {
		put_number(p, r->n);
		put_number(p, r->aux - r->time);
	}
	*before = f;
}

size_t log_pack(struct cpu *c, char *to, const struct log_record *const *r, unsigned n)
{
	struct packer p = { .at = to };
	struct fields before = { .time = log_epoch };

	put(&p, FORMAT);
	for (unsigned i = 0; i < n; i++)
		put_record(&p, c, r[i], &before);
	if (p.n)
		*p.at++ = digit(p.bits << (6 - p.n));
	return (size_t)(p.at - to);
}
