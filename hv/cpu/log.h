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

/* What of the decisions that log comes on the line, and the word for it. */
#define LOG_MODES(X) X(LOG_TEXT, "text") X(LOG_NOTABLE, "notable") X(LOG_FULL, "full") X(LOG_QUIET, "quiet")
enum log_mode { LOG_MODES(AS_ENUMERATOR) LOG_MODE_COUNT };
enum record_kind { REC_DECISION, REC_EVENT, REC_EXCEPTION };
/*
 * Events: enumerator, word, and how log_text.c prints what else is in the record: `value` and `addr` are numbers.
 * REASON(): `value` is a (const char *) to a constant word, or 0 for the word given here. SECONDS(): `value` is ticks.
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
	X(EV_DEVICE_BROKEN, "device-broken", " at=0x%lx why=%s", r->addr, REASON(r->value, "unknown"))
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
		u64 header; /* all of these, for comparing */
	};
	u32 cost, n;     /* ticks in EL2, summed; how many equal decisions this record stands for */
	u64 aux;         /* x2 of a call; FAR of an abort; n > 1: time of the last one of the run */
};
_Static_assert(sizeof(struct log_record) == 64, "one cache line");
#define INFO_NOTABLE   0x80 /* not ALLOW or EMUL, or no decision at all: outlives the others in `notable` */
#define INFO_VERDICT(i) ((i) & 0xf)
#define INFO_EL(i)     ((i) >> 4 & 3)

#define LOG_RING    16384 /* records, a power of two */
#define LOG_MARGIN  2     /* look like records and are none, so that any slot has two before it */
#define LOG_NOTABLE_RING 512

/*
 * Both rings of one CPU. Every record goes to `main`; a notable one that `main` is about to overwrite moves to
 * `notable`, so the two never hold the same record and `notable` is always the older. Records are found by seq,
 * loss by comparing it.
 */
struct log_ring {
	struct log_record *main, *notable; /* `main` has LOG_MARGIN more before its first */
	u64 seq;           /* of the next record */
	u64 drained;       /* seq of the first record not yet drained */
	u64 notable_end;   /* seq behind the newest notable record; > drained: something notable waits */
	u64 saved;         /* records moved to `notable` so far */
	u64 lost;          /* records overwritten before they were drained */
	u64 written;       /* records on the wire */
	u64 header_due;    /* value of `written` at which @H is repeated */
	u64 dumped;        /* seq up to which what the mode held back has been written as @B, or is not to be */
	u64 totals_time;   /* CNTPCT of the last @S */
	u64 totals_notable; /* notable_end then */
	u64 *reported_hits;     /* hits of each rule as the last @S had them */
	u64 *hits, *cost;  /* of each rule, for the @S being written */
	char *line;        /* LOG_LINE bytes to make a line in */
};
#define LOG_LINE 2048 /* no record is longer (log/README.md, "Byte rules") */

extern enum log_mode log_mode;
/* Bits by enum section: in mode notable, decisions of these are lines as in mode text. */
extern u32 log_text_sections;
extern bool log_live; /* each record as it comes, whatever the mode, even in the middle of the guest's line */
extern bool log_silent; /* quiet, and not live: a new record is no work */

static inline void log_set_mode(enum log_mode mode, bool live)
{
	log_mode = mode;
	log_live = live;
	log_silent = mode == LOG_QUIET && !live;
}

/* Bytes to boot_alloc for one CPU's rings, and where they are put. */
size_t log_ring_bytes(void);
void log_init(struct cpu *c, void *memory);

/*
 * A new decision record; the caller adds cost and the value read until the next record is made. Then, if all of it
 * equals the record before, the two become one with n = 2 (never hvc or smc). Never fails, never blocks.
 */
struct log_record *log_decision(struct cpu *c, const struct row_state *s, u64 value, u64 addr, u64 aux);
void log_event(struct cpu *c, enum log_event event, u64 value, u64 addr);
void log_exception(struct cpu *c, u64 esr, u64 elr, u64 far);
/* The record with this seq, or NULL when it is overwritten or not yet written. */
const struct log_record *log_find(struct cpu *c, u64 seq);
/* True if a record other than ALLOW and EMUL waits to be drained. */
static inline bool log_notable_waiting(const struct log_ring *l)
{
	return l->notable_end > l->drained;
}

/* --- log_text.c: records as HVL1 lines ----------------------------------------------------------- */

/* @H: names the build, the policy and the formats. */
void log_header(struct cpu *c);
/*
 * Writes undrained records as text, in order, about `budget` bytes (0 = all). `notable_only`: no further than the
 * newest notable record.
 */
void log_drain(struct cpu *c, u32 budget, bool notable_only);
/* The same, then as @B what the mode held back and the ring still has. */
void log_dump(struct cpu *c);
/* log_live, on the record. */
void log_set_live(struct cpu *c, bool on);
/* @S, in full. */
void log_totals(struct cpu *c);
/* At most once a second, in the modes for people: @S with the rules that moved (notable: if anything was refused). */
void log_totals_moved(struct cpu *c);
/* Drains, then a line of this kind for what has no record in the ring: @E (a marker, a setting changed), @P. */
void log_line(struct cpu *c, char kind, const char *text);
#define log_note(c, text) log_line(c, 'E', text)
/* Everything: drain, what was held back, @S, @Z. `reason`: poweroff, reset, kill, panic. */
void log_finish(struct cpu *c, const char *reason);
/* One record as text, without its RS: for people. log_format(): valid until the next line is made. */
void log_print(struct cpu *c, const struct log_record *r);
const char *log_format(struct cpu *c, const struct log_record *r);
/* The last `n` records (or fewer), without draining them: for the monitor and for a panic. */
void log_tail(struct cpu *c, unsigned n);
/* CNTPCT ticks at boot: what the log calls time 0. */
extern u64 log_epoch;
/* Ticks in EL2 so far, also of the decision that is being handled right now (DUMP_LOG, PAUSE). */
u32 log_cost(const struct cpu *c, const struct log_record *r);

/* --- log_batch.c: records as data of @B ---------------------------------------------------------- */

#define LOG_BATCH 16 /* decisions a line, at most */
/* Packs `n` decisions; returns the characters, at most 1708, which with the rest of a line is less than LOG_LINE. */
size_t log_pack(struct cpu *c, char *to, const struct log_record *const *r, unsigned n);

/* --- log_describe.c: what a record says ---------------------------------------------------------- */

extern const char *const log_verdicts[V_COUNT];  /* "ALLOW", ... */
extern const char *const log_modes[LOG_MODE_COUNT]; /* "text", ... by enum log_mode */
/* True for a read that was refused: it has no value; what the record has is what the guest's register held. */
bool log_unread(const struct log_record *r);
/* "msr.w PMCR_EL0=0x0", as on the wire and in the monitor; returns the length (at most size - 1). */
size_t log_describe(char *buf, size_t size, const struct log_record *r);
/* "WFX": the name policies have for ESR_EL2.EC `ec`, or NULL. */
const char *log_class_name(unsigned ec);
/* "SCTLR_EL1" or "S3_0_C1_C0_0", from the ISS of an MSR, MRS or SYS. */
void log_sysreg_name(char *buf, size_t size, u32 iss);

#endif
