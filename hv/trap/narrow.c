/* SPDX-License-Identifier: Apache-2.0 */
/* Rows with conditions: their inputs, and the row that decides. */
#include "arch/arch.h"
#include "cpu/esr.h"
#include "trap/decide.h"

_Static_assert(offsetof(struct log_record, pc) == 8 * WORD_PC && offsetof(struct log_record, addr) == 8 * WORD_ADDR &&
	       offsetof(struct log_record, value) == 8 * WORD_VALUE && offsetof(struct log_record, header) == 8 * WORD_HEADER &&
	       offsetof(struct log_record, aux) == 8 * WORD_AUX && sizeof(struct log_record) == 8 * WORD_COUNT,
	       "conditions look at the words of a record");
_Static_assert(offsetof(struct log_record, info) - offsetof(struct log_record, header) == 6 && HEADER_EL == 48 + 4,
	       "INFO_EL()");

/* addr and aux of the record become the value that the register held, or the arguments that conditions look at. */
const struct decision *narrow(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux)
{
	const struct trap_frame *f = &c->frame;
	const struct decision *d = s->decision;
	u16 held_by = policy_conditions[d->where].held;
	u64 record[WORD_COUNT];

	if (held_by)
		addr = replay_read(policy_stub(held_by));
	if (POLICY_MEMORY ? (unsigned)d->tells - TELLS_X1_X3 < 2 : d->tells)
		aux = f->x[3];
	if (d->tells == TELLS_X2_X3)
		addr = f->x[2];
	record[WORD_PC] = f->elr_el2;
	record[WORD_ADDR] = addr;
	record[WORD_VALUE] = value;
	record[WORD_HEADER] = (f->spsr_el2 & 0xc) << 50; /* of AArch32 EL0 it is 0, too */
	record[WORD_AUX] = aux;
	s->hits--;
	s = c->row = &c->rows[policy_where((u16)(s - c->rows), record)];
	s->hits++;
	return decide_row(c, s, value, addr, aux);
}
