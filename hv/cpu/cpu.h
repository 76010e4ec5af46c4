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

/* What a handler wants done with the guest; only trap_end() acts on it. */
enum outcome {
	NEXT,  /* done: go on behind the instruction */
	AGAIN, /* go on where ELR_EL2 points */
	UNDEF, /* the instruction does not exist: exception class 0 at EL1 */
	ABORT, /* synchronous external abort at EL1 */
	FORWARD, /* the exception that EL2 took is EL1's */
	STOP,  /* the guest is gone: log the end, power off or open the monitor */
};

/* Counters and run-time state of one row. */
struct row_state {
	u64 hits, cost; /* cost: CNTPCT ticks spent in EL2 */
	u32 flags;      /* ROW_* */
	u8 path;        /* enum action, where nothing but that and a record is to be done, or PATH_SLOW */
	u8 pad[3];
	const struct decision *decision; /* of policy_rows[], or decide_init()'s copy with the register's value */
	u64 header;       /* of its records, without what the trap adds */
	u64 would;      /* of `hits`: those that a rule changed at run time let pass */
	u64 cleared_hits, cleared_cost; /* what they were at the operator's `traps clear` */
};
_Static_assert(sizeof(struct row_state) == 64, "a cache line, and a shift to find it");
#define ROW_LOG   1u /* the row has log once or always */
#define ROW_FIRST 128u /* ... once */
#define ROW_LIMIT 2u
#define ROW_WOULD 4u /* overrule.c: what the row refuses is let pass, and logged as WOULD */
#define ROW_STOP  8u /* ... the operator is asked first */
#define ROW_ONCE  16u /* ... this one time */
#define ROW_DEBUG 32u /* decides on debug registers while debug.c uses them */
#define ROW_CHANGED (ROW_WOULD | ROW_STOP | ROW_DEBUG)
#define ROW_WHERE 64u /* conditions decide too: narrow() */
#define PATH_SLOW ACT_COUNT

/* Allowed, and nothing that EL2 could do in the guest's place: it does not trap, but on EL2's own account. */
static inline bool allowed_only(const struct decision *d)
{
	return d->action == ACT_DENY && d->verdict == V_ALLOW;
}
/* To be called when flags or decision change. */
static inline void row_set_path(struct row_state *s)
{
	s->path = s->flags & ~(ROW_LOG | ROW_FIRST) || allowed_only(s->decision) ? PATH_SLOW : s->decision->action;
}

/* Work to do before the guest goes on. */
#define WORK_VGIC    1u /* something may be pending for a list register */
#define WORK_LOG     2u /* records wait for a quiet moment */
#define WORK_MONITOR 4u /* open the monitor */
#define WORK_STATUS  8u /* ^] s: one status line */
#define WORK_DUMP    16u /* ^] d: drain the log now */
#define WORK_KEYS    32u /* ^] ?: the table of keys */
#define WORK_DEBUG   64u /* a step or an `until` is under way */
#define WORK_LIVE    128u /* ^] l: live log on or off */
#define WORK_QUIT    256u /* ^] q: ask */
#define WORK_OFF     512u /* ... and the answer was y */
#define WORK_WATCH   1024u /* a second of `traps -w` is over */
#define WORK_NOTES   (WORK_STATUS | WORK_KEYS | WORK_LIVE | WORK_QUIT | WORK_OFF | WORK_WATCH)
#define WORK_INPUT   2048u /* the UART has more */
#define WORK_UNDEFINED 4096u /* replay.c: the register that was replayed is UNDEFINED */
#define WORK_DEAF    8192u /* the guest has not read for long: the log says so */
#define WORK_RECORD  0x80000000u /* the record of the trap being handled is to be completed */

_Static_assert(WORK_VGIC + WORK_LOG + WORK_MONITOR + WORK_DUMP + WORK_DEBUG + WORK_INPUT + WORK_STATUS + WORK_KEYS +
	       WORK_LIVE + WORK_QUIT + WORK_OFF + WORK_WATCH + WORK_UNDEFINED + WORK_DEAF == 16383, "a bit each");

/*
 * What policy_call() and policy_mmio() answered: they are pure, so it may be remembered. `key` is all they were asked;
 * a key that never stands in its slot marks an empty one. By the function's last digit, and by the word's.
 */
#define LOOKUPS 16
struct call_lookup { /* of calls that a constant answers */
	u64 key;
	struct row_state *row;
	u64 value, selector; /* x0, if none of these bits is set in x1 */
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
	struct log_record *record; /* its record, or NULL */
	u64 *limit_time;         /* GCRA theoretical arrival time, by limit */
	u64 *logged_once;        /* log once: what has been logged, LOGGED_SLOTS tags */
	u32 work;                /* WORK_* */
	u32 index;               /* 0.. */
	struct lookups lookup_cache[LOOKUPS];
	struct log_ring log;
	u64 log_due;             /* CNTPCT when a refusal must be on the line, whatever the guest does; 0: none waits */
	struct vgic_cpu vgic;
	const char *stop_reason; /* why the monitor opens: "key", "break", "pause", "rule", "panic", "kill" */
	u64 stopped_seq;         /* seq of the decision we stopped on, or ~0 */
	bool online;             /* runs the guest, or is on its way there */
	bool leaves;             /* ... and is about to go off */
	volatile bool parked;    /* stands still in smp_park() for the monitor */
	u64 start_entry, start_context; /* PSCI CPU_ON: where it begins */
	struct spinlock *volatile waits; /* the lock that it is waiting for, or NULL */
	u64 watch_due, watch_last; /* watchdog.c: its next look, in CNTPCT ticks, and what it saw last */
	u64 watch_held;           /* ... and when the lock that it held then was taken, 0: it held none */
	u32 watch_misses, watch_holds; /* looks since anything moved, and since it took another lock */
	u32 progress;             /* the watchdog's sign of life within one long trap: text printed, memory cleared */
	struct {
		u64 elr, spsr, rt;
	} undone;                 /* replay.c: the guest's, before its trap */
};
_Static_assert(offsetof(struct cpu, frame) == 0, "container of the frame");
_Static_assert(sizeof(struct cpu) <= CPU_BLOCK_SIZE - CPU_STRUCT_OFFSET, "fits above the stack");

#define LOGGED_SLOTS 1024

static inline struct cpu *cpu_of(struct trap_frame *f)
{
	return (struct cpu *)f;
}

extern struct cpu *cpus[MAX_CPUS]; /* the first n_cpus are there */
extern unsigned n_cpus;

static inline struct cpu *this_cpu(void)
{
	return (struct cpu *)sysreg_read(tpidr_el2);
}

/* What was remembered of calls and windows: the answer may be another one now. */
static inline void lookups_forget(struct cpu *c)
{
	for (unsigned i = 0; i < LOOKUPS; i++) {
		c->lookup_cache[i].hvc.key = c->lookup_cache[i].smc.key = i ^ 1; /* ends in another digit */
		c->lookup_cache[i].mmio.key = (i ^ 1) << 2;
	}
}

/* What the log and the limit of a counted row ask for. Returns the decision that holds. */
const struct decision *decide_slow(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux);

/*
 * The one way to a decision: counts it, logs it, applies its limit. value, addr, aux are the match inputs for
 * the record. trap_end() adds the cost afterwards. Rows whose way is short are decided by straight.h as well.
 */
static inline const struct decision *decide(struct cpu *c, struct row_state *s, u64 value, u64 addr, u64 aux)
{
	s->hits++;
	c->row = s;
	if (unlikely(s->flags))
		return decide_slow(c, s, value, addr, aux);
	return s->decision;
}

#endif
