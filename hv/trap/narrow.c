/* SPDX-License-Identifier: Apache-2.0 */
/* A row with conditions: what they look at, and which row decides then. */
#include "cpu/decide.h"
#include "cpu/esr.h"

_Static_assert(offsetof(struct log_record, pc) == 8 * WORD_PC && offsetof(struct log_record, addr) == 8 * WORD_ADDR &&
	       offsetof(struct log_record, value) == 8 * WORD_VALUE && offsetof(struct log_record, header) == 8 * WORD_HEADER &&
	       offsetof(struct log_record, aux) == 8 * WORD_AUX && sizeof(struct log_record) == 8 * WORD_COUNT,
	       "conditions look at the words of a record");
_Static_assert(offsetof(struct log_record, info) - offsetof(struct log_record, header) == 6 && HEADER_EL == 48 + 4,
	       "INFO_EL()");

struct row_state *narrow(struct cpu *c, struct row_state *s, u64 value, u64 *words)
{
	const struct trap_frame *f = &c->frame;
	const struct decision *d = s->decision;
	u16 held_by = policy_conditions[d->where].held;
	u64 record[WORD_COUNT];

	if (held_by)
		words[0] = replay_read(policy_replay + 16 * held_by);
	if (d->tells)
		words[1] = f->x[3];
	if (d->tells == TELLS_X2_X3)
		words[0] = f->x[2];
	record[WORD_PC] = f->elr_el2;
	record[WORD_ADDR] = words[0];
	record[WORD_VALUE] = value;
	record[WORD_HEADER] = (f->spsr_el2 & 0xc) << 50; /* of AArch32 EL0 it is 0, too */
	record[WORD_AUX] = words[1];
	s->hits--;
	s = c->row = &c->rows[policy_where((u16)(s - c->rows), record)];
	s->hits++;
	return s;
}
