/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence log: makes records (log.c), writes them to the line (log_text.c, log_batch.c), describes them (log_describe.c). */
#ifndef HV_EVIDENCE_H
#define HV_EVIDENCE_H

#include "cpu/cpu.h"

extern enum log_mode log_mode;
/* Bits by enum section: in mode notable, decisions of these sections are lines as in mode text. */
extern u32 log_text_sections;
extern bool log_live; /* writes each record as it comes, in every mode, even in the middle of the guest's line */
extern bool log_silent; /* mode quiet, and not live: a new record makes no work */

static inline void log_set_mode(enum log_mode mode, bool live)
{
	log_mode = mode;
	log_live = live;
	log_silent = mode == LOG_QUIET && !live;
}

/* Bytes of boot memory for one CPU's rings; log_init() puts the rings there. */
size_t log_ring_bytes(void);
void log_init(struct cpu *c, void *memory);

/*
 * A new decision record; until the next one is made, the caller may add cost and the value read. Then, if it equals the
 * record before it, the two become one with n = 2 (never for hvc and smc). Never fails, never blocks.
 */
struct log_record *log_decision(struct cpu *c, const struct row_state *s, u64 value, u64 addr, u64 aux);
void log_event(struct cpu *c, enum log_event event, u64 value, u64 addr);
void log_exception(struct cpu *c, u64 esr, u64 elr, u64 far);
/* The record with this seq, or NULL if it is overwritten or not yet written. */
const struct log_record *log_find(struct cpu *c, u64 seq);
/* --- log_text.c: records as HVL1 lines ----------------------------------------------------------- */

/* @H: names the build, the policy and the formats. */
void log_header(struct cpu *c);
/*
 * Writes undrained records as text, in order, about `budget` bytes (0 = all). `notable_only`: stops after the newest
 * notable record.
 */
void log_drain(struct cpu *c, u32 budget, bool notable_only);
/* The same, and then as @B the records that the mode held back, as far as the ring still has them. */
void log_dump(struct cpu *c);
/* Sets log_live, with a note in the log. */
void log_set_live(struct cpu *c, bool on);
/* @S, with all rules. */
void log_totals(struct cpu *c);
/* @S with the rules that moved, at most once a second, in the modes for people (notable: only after a refusal). */
void log_totals_moved(struct cpu *c);
/* Drains, then writes a line of this kind that has no record in the ring: @E (a marker, a changed setting), @P. */
void log_line(struct cpu *c, char kind, const char *text);
#define log_note(c, text) log_line(c, 'E', text)
/* Ends the log: drains, @B, @S, @Z. `reason`: poweroff, reset, kill, panic. */
void log_finish(struct cpu *c, const char *reason);
/* One record as text for people, without its RS. log_format()'s is valid until the next line is made. */
void log_print(struct cpu *c, const struct log_record *r);
const char *log_format(struct cpu *c, const struct log_record *r);
/* Prints the last `n` records (or fewer) without draining them: for the monitor and for a panic. */
void log_tail(struct cpu *c, unsigned n);
/* CNTPCT ticks at boot: time 0 of the log. */
extern u64 log_epoch;
/* Ticks in EL2 so far, with those of the decision being handled (DUMP_LOG, PAUSE). */
u32 log_cost(const struct cpu *c, const struct log_record *r);

/* --- log_batch.c: records as data of @B ---------------------------------------------------------- */

#define LOG_BATCH 16 /* decisions a line, at most */
/* Packs `n` decisions; returns the number of characters, at most 1708: with the rest of a line less than LOG_LINE. */
size_t log_pack(struct cpu *c, char *to, const struct log_record *const *r, unsigned n);

/* --- log_describe.c: what a record says ---------------------------------------------------------- */

extern const char *const log_verdicts[V_COUNT];  /* "ALLOW", ... */
extern const char *const log_modes[LOG_MODE_COUNT]; /* "text", ... by enum log_mode */
/* True for a read that was refused: it has no value, and the record's is the guest register's old one. */
truth log_unread(const struct log_record *r);
/* "msr.w PMCR_EL0=0x0", as on the line and in the monitor; returns the length (at most size - 1). */
size_t log_describe(char *buf, size_t size, const struct log_record *r);
/* "WFX": the policy's name for ESR_EL2.EC `ec`, or NULL. */
const char *log_class_name(unsigned ec);
/* "SCTLR_EL1" or "S3_0_C1_C0_0", from the ISS of an MSR, MRS or SYS. */
void log_sysreg_name(char *buf, size_t size, u32 iss);

#endif
