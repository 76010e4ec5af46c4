/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evidence log: a ring of 64-byte records a CPU (log/README.md, "The ring"). A record holds every match input of a
 * decision; text exists only when it is drained.
 */
#ifndef HV_LOG_H
#define HV_LOG_H

#include "policy/policy.h"

struct cpu;
struct row_state;

/* Which decisions with a `log:` come on the line, and the mode's name. */
#define LOG_MODES(X) X(LOG_TEXT, "text") X(LOG_NOTABLE, "notable") X(LOG_FULL, "full") X(LOG_QUIET, "quiet")
enum log_mode { LOG_MODES(AS_ENUMERATOR) LOG_MODE_COUNT };
enum record_kind { REC_DECISION, REC_EVENT, REC_EXCEPTION };
/*
 * Events: enumerator, word, and the format in which log_text.c prints the rest of the record: `value` and `addr` as
 * numbers. REASON(): `value` is a (const char *) to a constant word, or 0 for the word given here. SECONDS(): `value`
 * is ticks.
 */
#define LOG_EVENTS(X)                                                                           \
	X(EV_BOOT, "boot", "")                                                                  \
	X(EV_GUEST_ENTER, "guest+", " entry=0x%lx el=1", r->value)                              \
	X(EV_GUEST_LEAVE, "guest-", " why=%s", REASON(r->value, "kill"))                        \
	X(EV_MONITOR_ENTER, "mon+", " why=%s", REASON(r->value, "unknown"))                     \
	X(EV_MONITOR_LEAVE, "mon-", " paused=%lu.%09lu", SECONDS(r->value))                     \
	X(EV_PAUSE_SKIPPED, "pause-skipped", "")                                                \
	X(EV_MARK, "mark", " \"0x%lx\"", r->value)                                              \
	X(EV_RESET, "reset", "")                                                                \
	X(EV_STATE_WRITE, "write", " addr=0x%lx value=0x%lx", r->addr, r->value)                \
	X(EV_DEVICE_BROKEN, "device-broken", " at=0x%lx why=%s", r->addr, REASON(r->value, "unknown")) \
	X(EV_TRACE, "trace", " lr=0x%lx,0x%lx,0x%lx,0x%lx", r->pc, r->addr, r->value, r->aux)
enum log_event { LOG_EVENTS(AS_ENUMERATOR) EV_COUNT };

struct log_record {
	u64 seq, time;   /* time: CNTPCT_EL0 ticks */
	u64 pc, addr;    /* addr: IPA, or x1 of a call (enum tells), or FAR, or what a register held */
	u64 value;       /* value written or read, or x0 of a call */
	union {
		struct {
			u32 esr;
			u16 row; /* row of policy_rows[]; events: enum log_event */
			u8 info; /* verdict:4 (0..3), EL:2 (4..5), INFO_NOTABLE (7) */
			u8 kind; /* enum record_kind */
		};
		u64 header; /* all fields above, for comparing */
	};
	u32 cost, n;     /* ticks in EL2, of all together; how many equal decisions this record stands for */
	u64 aux;         /* x2 of a call; FAR of an abort; n > 1: time of the run's last one */
};
_Static_assert(sizeof(struct log_record) == 64, "one cache line");
#define INFO_NOTABLE   0x80 /* verdict other than ALLOW and EMUL, or no decision: survives in `notable` */
#define INFO_VERDICT(i) ((i) & 0xf)
#define INFO_EL(i)     ((i) >> 4 & 3)

#define LOG_RING    16384 /* records, a power of two */
#define LOG_MARGIN  2     /* dummy records in front of the first, so that every slot has two before it */
#define LOG_NOTABLE_RING 512

/*
 * Both rings of one CPU. Every record goes to `main`; a notable one that `main` is about to overwrite moves to
 * `notable`, so the two never hold the same record, and `notable` has the older ones. Records are found by seq, and
 * loss by comparing it.
 */
struct log_ring {
	struct log_record *main, *notable; /* `main` has LOG_MARGIN dummies before its first */
	u64 seq;           /* of the next record */
	u64 drained;       /* seq of the first record not yet drained */
	u64 notable_end;   /* seq after the newest notable record; > drained: a notable record waits */
	u64 saved;         /* records moved to `notable` so far */
	u64 lost;          /* records overwritten before they were drained */
	u64 written;       /* records on the wire */
	u64 header_due;    /* value of `written` at which @H is repeated */
	u64 dumped;        /* seq up to which records that the mode held back have been written as @B, or need not be */
	u64 totals_time;   /* CNTPCT of the last @S */
	u64 totals_notable; /* notable_end at that time */
	u64 *reported_hits;     /* hits of each rule in the last @S */
	u64 *hits, *cost;  /* of each rule, for the @S being written */
	char *line;        /* LOG_LINE bytes for the line being made */
};
#define LOG_LINE 2048 /* bounds every record (log/README.md, "Byte rules") */

/* True if a record other than ALLOW and EMUL waits to be drained. */
static inline bool log_notable_waiting(const struct log_ring *l)
{
	return l->notable_end > l->drained;
}

#endif
