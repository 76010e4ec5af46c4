/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence log's rings: makes records and finds them. */
#include "arch/arch.h"
#include "cpu/cpu.h"
#include "log/evidence.h"
#include "log/record.h"

enum log_mode log_mode;
u32 log_text_sections;
bool log_live, log_silent;
u64 log_epoch;

_Static_assert(REC_DECISION == 0 && offsetof(struct log_record, info) - offsetof(struct log_record, header) == 6,
	       "log_record() writes them as one word");
_Static_assert((LOG_RING & (LOG_RING - 1)) == 0, "a power of two");

/* EC of HVC and SMC, AArch32 and AArch64: 0x12, 0x13, 0x16, 0x17. */
#define EC_IS_CALL(ec) (((ec) & 0x3a) == 0x12)

/* How many u64 a number of each rule takes, in whole cache lines. */
static size_t rule_words(void)
{
	return (policy_n_rules + 7u) & ~7UL;
}

size_t log_ring_bytes(void)
{
	return (LOG_MARGIN + LOG_RING + LOG_NOTABLE_RING) * sizeof(struct log_record) + 3 * rule_words() * sizeof(u64) + LOG_LINE;
}

COLD void log_init(struct cpu *c, void *memory)
{
	struct log_ring *l = &c->log;

	*l = (struct log_ring){ .main = (struct log_record *)memory + LOG_MARGIN };
	l->main[-1] = l->main[-2] = (struct log_record){ .seq = ~0UL };
	l->notable = l->main + LOG_RING;
	l->reported_hits = (u64 *)(l->notable + LOG_NOTABLE_RING);
	l->hits = l->reported_hits + rule_words();
	l->cost = l->hits + rule_words();
	l->line = (char *)(l->cost + rule_words());
	for (unsigned i = 0; i < rule_words(); i++)
		l->reported_hits[i] = 0;
	/*
	 * Marks every slot as empty: seq 0 exists, so by a seq that cannot be in that slot. Other fields, left from
	 * before a reset, mean nothing without it. Eight slots at a time: this is a third of boot.
	 */
	_Static_assert((LOG_RING + LOG_NOTABLE_RING) % 8 == 0, "in steps of eight");
	for (struct log_record *r = l->main, *end = r + LOG_RING + LOG_NOTABLE_RING; r < end; r += 8) {
		r[0].seq = ~0UL;
		r[1].seq = ~0UL;
		r[2].seq = ~0UL;
		r[3].seq = ~0UL;
		r[4].seq = ~0UL;
		r[5].seq = ~0UL;
		r[6].seq = ~0UL;
		r[7].seq = ~0UL;
	}
	if (!log_epoch)
		log_epoch = counter();
}

/*
 * True if the newest two decisions are equal in every match input and in the value read: they may become one. Asked
 * only when the next record comes, because the value read is known late.
 */
static inline bool same(const struct log_record *a, const struct log_record *b)
{
	return a->pc == b->pc && a->header == b->header && a->addr == b->addr && a->value == b->value;
}

static void join(struct log_ring *l)
{
	struct log_record *last = log_slot(l, l->seq - 1), *before = log_slot(l, l->seq - 2);

	if (!same(last, before))
		return;
	/* both in the ring, undrained, with no text-only line between them */
	if (l->seq < l->drained + 2 || last->seq != l->seq - 1 || before->seq != l->seq - 2)
		return;
	if (last->kind != REC_DECISION || EC_IS_CALL(last->esr >> 26) || before->n == ~0U)
		return;
	before->n++;
	before->cost += last->cost;
	before->aux = last->time;
	last->seq = ~0UL;
	l->seq--;
	if (l->notable_end > l->seq)
		l->notable_end = l->seq;
}

/* Saves the notable record in slot `r`, which is about to be overwritten. */
static void save(struct log_ring *l, const struct log_record *r)
{
	if (r->info & INFO_NOTABLE && r->seq != ~0UL)
		l->notable[l->saved++ & (LOG_NOTABLE_RING - 1)] = *r;
}

struct log_record *log_next(struct log_ring *l)
{
	struct log_record *r = log_slot(l, l->seq);

	if (log_has_room(r))
		return r;
	join(l);
	r = log_slot(l, l->seq);
	save(l, r);
	return r;
}

static inline struct log_record *decision(struct cpu *c, struct log_record *r, u64 header, u64 value, u64 addr, u64 aux)
{
	log_fill(c, r, header, c->frame.elr_el2, c->frame.spsr_el2, value, addr, aux, 0);
	return r;
}

static __attribute__((noinline)) struct log_record *decision_slow(struct cpu *c, u64 header, u64 value, u64 addr, u64 aux)
{
	return decision(c, log_next(&c->log), header, value, addr, aux);
}

/* At most 45 instructions and no call on the straight path: tests/host/test_log.py counts them. */
struct log_record *log_decision(struct cpu *c, const struct row_state *s, u64 value, u64 addr, u64 aux)
{
	struct log_record *r = log_slot(&c->log, c->log.seq);

	if (unlikely(!log_has_room(r)))
		return decision_slow(c, s->header, value, addr, aux);
	return decision(c, r, s->header, value, addr, aux);
}

static struct log_record *push(struct cpu *c, enum record_kind kind, u16 row)
{
	struct log_ring *l = &c->log;
	struct log_record *r = log_slot(l, l->seq);

	save(l, r);
	*r = (struct log_record){ .seq = l->seq++, .time = counter(), .pc = c->frame.elr_el2, .row = row,
				  .info = INFO_NOTABLE, .kind = (u8)kind, .n = 1 };
	l->notable_end = l->seq;
	return r;
}

void log_event(struct cpu *c, enum log_event event, u64 value, u64 addr)
{
	struct log_record *r = push(c, REC_EVENT, (u16)event);

	r->value = value;
	r->addr = addr;
}

void log_exception(struct cpu *c, u64 esr, u64 elr, u64 far)
{
	struct log_record *r = push(c, REC_EXCEPTION, 0);

	r->esr = (u32)esr;
	r->value = elr;
	r->addr = far;
	r->aux = c->frame.spsr_el2;
}

COLD const struct log_record *log_find(struct cpu *c, u64 seq)
{
	struct log_ring *l = &c->log;

	if (seq >= l->seq)
		return NULL;
	if (log_slot(l, seq)->seq == seq)
		return log_slot(l, seq);
	for (unsigned i = 0; i < LOG_NOTABLE_RING; i++)
		if (l->notable[i].seq == seq)
			return &l->notable[i];
	return NULL;
}
