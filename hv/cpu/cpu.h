/* SPDX-License-Identifier: Apache-2.0 */
/* EL2's state of one CPU and its vCPU, at the top of that CPU's EL2 stack. */
#ifndef HV_CPU_H
#define HV_CPU_H

#include "arch/arch.h"
#include "arch/lock.h"
#include "board/board.h"
#include "cpu/frame.h"
#include "cpu/log.h"
#include "cpu/vgic_cpu.h"
#include "policy/policy.h"

/* A handler's answer; only trap_end() acts on it. */
enum outcome {
	NEXT,  /* done: the guest goes on after the instruction */
	AGAIN, /* the guest goes on at ELR_EL2 */
	UNDEF, /* the instruction is UNDEFINED: exception class 0 at EL1 */
	ABORT, /* synchronous external abort at EL1 */
	FORWARD, /* EL1 gets the exception that EL2 took */
	STOP,  /* the guest ends: finish the log, power off or open the monitor */
};

/* Counters and run-time state of one row. */
struct row_state {
	u64 hits, cost; /* cost: CNTPCT ticks spent in EL2 */
	u32 flags;      /* ROW_* */
	u8 path;        /* enum action, if it and a record are all there is to do, else PATH_SLOW */
	u8 pad[3];
	const struct decision *decision; /* a row of policy_rows[], or decide_init()'s copy with an ID register's value */
	u64 header;       /* header of its records, without the trap's part */
	u64 would;      /* the hits that a rule changed at run time let pass */
	u64 cleared_hits, cleared_cost; /* hits, cost and would at the operator's `traps clear` */
};
_Static_assert(sizeof(struct row_state) == 64, "a cache line, and a shift to find it");
#define ROW_LOG   1u /* the row has `log: once` or `always` */
#define ROW_FIRST 128u /* ... `once` */
#define ROW_LIMIT 2u
#define ROW_WOULD 4u /* overrule.c: lets refusals pass, logged as WOULD */
#define ROW_STOP  8u /* ... asks the operator first */
#define ROW_ONCE  16u /* ... only this time */
#define ROW_DEBUG 32u /* the row decides on debug registers while debug.c uses them */
#define ROW_CHANGED (ROW_WOULD | ROW_STOP | ROW_DEBUG)
#define ROW_WHERE 64u /* the decision depends on conditions: narrow() */
#define ROW_TRACE 256u /* return addresses are logged with a refusal */
#define PATH_SLOW ACT_COUNT

/* Allowed, or let pass by `mode: audit`, and nothing that EL2 could do in the guest's place but the virtual GIC. */
static inline bool allowed_only(const struct decision *d)
{
	return d->action == ACT_DENY && (d->verdict == V_ALLOW || d->verdict == V_WOULD);
}
/* Call it when flags or decision have changed. */
static inline void row_set_path(struct row_state *s)
{
	s->path = s->flags & ~(ROW_LOG | ROW_FIRST) || allowed_only(s->decision) ? PATH_SLOW : s->decision->action;
}

/* Work to do before the guest goes on. */
#define WORK_VGIC    1u /* a list register may have to be filled */
#define WORK_LOG     2u /* records wait to be drained */
#define WORK_MONITOR 4u /* open the monitor */
#define WORK_STATUS  8u /* ^] s: one status line */
#define WORK_DUMP    16u /* ^] d: drain the log now */
#define WORK_KEYS    32u /* ^] ?: the table of keys */
#define WORK_DEBUG   64u /* a step or an `until` is under way */
#define WORK_LIVE    128u /* ^] l: live log on or off */
#define WORK_QUIT    256u /* ^] q: ask for confirmation */
#define WORK_OFF     512u /* ... confirmed with y */
#define WORK_WATCH   1024u /* a second of `traps -w` is over */
#define WORK_NOTES   (WORK_STATUS | WORK_KEYS | WORK_LIVE | WORK_QUIT | WORK_OFF | WORK_WATCH)
#define WORK_INPUT   2048u /* the UART has more input */
#define WORK_UNDEFINED 4096u /* replay.c: the replayed register is UNDEFINED */
#define WORK_DEAF    8192u /* the guest has not read input for long: note it in the log */
#define WORK_RECORD  0x80000000u /* the record of the trap being handled lacks its cost */

_Static_assert(WORK_VGIC + WORK_LOG + WORK_MONITOR + WORK_DUMP + WORK_DEBUG + WORK_INPUT + WORK_STATUS + WORK_KEYS +
	       WORK_LIVE + WORK_QUIT + WORK_OFF + WORK_WATCH + WORK_UNDEFINED + WORK_DEAF == 16383, "a bit each");

/*
 * Answers of policy_call() and policy_mmio(), which are pure. `key` holds all of the question; an empty slot has a key
 * of another slot. Slots go by the last digit of the function, or of the word's address.
 */
#define LOOKUPS 16
struct call_lookup { /* for calls that a constant answers */
	u64 key;
	struct row_state *row;
	u64 value, selector; /* x0, if x1 has none of these bits */
};
struct mmio_lookup {
	u64 key;
	struct row_state *row;
};
struct lookups {
	struct call_lookup hvc, smc;
	struct mmio_lookup mmio;
	u64 unused[6];
};
_Static_assert(sizeof(struct lookups) == 128, "a shift to find it");

struct cpu {
	struct trap_frame frame; /* first: SP_EL2 points here while the guest runs */
	u64 entered;             /* CNTPCT at the trap being handled */
	struct row_state *rows;  /* policy_n_rows of them */
	struct row_state *row;   /* the row that decided the trap being handled */
	struct log_record *record; /* record of that decision, or NULL */
	u64 *limit_time;         /* GCRA theoretical arrival time, by limit */
	u64 *logged_once;        /* tags of accesses that `log: once` has logged, LOGGED_SLOTS of them */
	u32 work;                /* WORK_* */
	u32 index;               /* 0.. */
	struct lookups lookup_cache[LOOKUPS];
	struct log_ring log;
	u64 log_due;             /* CNTPCT by which a waiting refusal must be on the line; 0: none waits */
	struct vgic_cpu vgic;
	const char *stop_reason; /* why the monitor opens: "key", "break", "pause", "rule", "panic", "kill" */
	u64 stopped_seq;         /* seq of the decision that opened the monitor, or ~0 */
	bool online;             /* runs the guest, or is on its way there */
	bool leaves;             /* ... and is about to go off */
	volatile bool parked;    /* stopped in smp_park() for the monitor */
	u64 start_entry, start_context; /* PSCI CPU_ON: entry point and context */
	struct spinlock *volatile waits; /* the lock that this CPU waits for, or NULL */
	u64 watch_due, watch_last; /* watchdog.c: its next look, in CNTPCT ticks, and the state seen at the last one */
	u64 watch_held;           /* ... and when the lock held then was taken, 0: it held none */
	u32 watch_misses, watch_holds; /* looks without progress, and looks with the same lock */
	u32 progress;             /* counts up within a long trap (text printed, memory cleared), so that the watchdog waits */
	struct {
		u64 elr, spsr, rt;
	} undone;                 /* replay.c: the guest's registers before the trap */
};
_Static_assert(offsetof(struct cpu, frame) == 0, "container of the frame");
_Static_assert(sizeof(struct cpu) <= CPU_BLOCK_SIZE - CPU_STRUCT_OFFSET, "fits above the stack");

#define LOGGED_SLOTS 1024

static inline struct cpu *cpu_of(struct trap_frame *f)
{
	return (struct cpu *)f;
}

extern struct cpu *cpus[MAX_CPUS]; /* the first n_cpus are set */
extern unsigned n_cpus;

static inline struct cpu *this_cpu(void)
{
	return (struct cpu *)sysreg_read(tpidr_el2);
}

/* Empties the cache of lookups when an answer may have changed. */
static inline void lookups_forget(struct cpu *c)
{
	for (unsigned i = 0; i < LOOKUPS; i++) {
		c->lookup_cache[i].hvc.key = c->lookup_cache[i].smc.key = i ^ 1; /* a key of another slot */
		c->lookup_cache[i].mmio.key = (i ^ 1) << 2;
	}
}

#endif
