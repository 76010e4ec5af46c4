/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the EL2 core and the tables that policygen generates.
 *
 * policygen defines everything declared `extern const` here, in build/gen/; this file is written by hand. Looking a
 * decision up is pure (policy.c), so that it compiles for a host as well as for EL2.
 *
 *   an access -> a row number (sysregs: two dependent loads; MMIO: three and a short search inside a page;
 *   calls: a hash probe, then a binary search of ranges) -> struct decision.
 *
 * A *rule* is one entry of the policy (one YAML key); a *row* (struct decision) is the rule's meaning for one kind of
 * access. The log, the counters and the operator speak of rules.
 */
#ifndef HV_POLICY_H
#define HV_POLICY_H

#include "lib/types.h"

/* An action of EL2. policygen renders the enumerators by name and relies on their order. */
enum action {
	ACT_ALLOW,   /* the real thing: replay the register or device access, serve the call */
	ACT_DENY,    /* as if it did not exist; arg is an enum refusal */
	ACT_VALUE,   /* read: the guest gets value; call: x0 = value */
	ACT_IGNORE,  /* write: discarded */
	ACT_MASK,    /* read: (real & mask) | value; write: (real & ~mask) | (written & mask) */
	ACT_EMULATE, /* arg is an enum model */
	ACT_FORWARD, /* exceptions: delivered to the guest's EL1 */
	ACT_PAUSE,   /* stops the guest before the access takes effect, and opens the monitor */
	ACT_KILL,    /* ends the guest */
	ACT_COUNT
};

/* The form of a refusal. */
enum refusal {
	REFUSE_UNDEF,              /* UNDEFINED: exception class 0 at EL1 */
	REFUSE_SEA,                /* synchronous external abort */
	REFUSE_SERROR,             /* virtual SError */
	REFUSE_NOT_SUPPORTED,      /* x0 = -1 (SMCCC, PSCI) */
	REFUSE_INVALID_PARAMETERS, /* x0 = -2 */
	REFUSE_DENIED,             /* x0 = -3 */
	REFUSE_PERMISSION,         /* abort of a permission fault */
	REFUSE_COUNT
};

/* A decision's word in the log. */
#define VERDICT_WORDS(X)                                                                         \
	X(V_ALLOW, "ALLOW") X(V_DENY, "DENY") X(V_EMUL, "EMUL") X(V_RAZWI, "RAZWI")              \
	X(V_INJECT, "INJECT") X(V_KILL, "KILL") X(V_PAUSE, "PAUSE") X(V_WOULD, "WOULD")
enum verdict_word { VERDICT_WORDS(AS_ENUMERATOR) V_COUNT };

/* Odd: the first of each access. The last two: a refusal with the guest's return addresses. */
enum log_when { LOG_NEVER, LOG_ONCE, LOG_ALWAYS, LOG_ONCE_TRACE, LOG_ALWAYS_TRACE, LOG_COUNT };

/* The models, which rows name by number; the platform file names the function that serves each. */
enum model {
	MODEL_NONE,
	/* system registers */
	MODEL_VGIC_SGI,   /* ICC_SGI1R_EL1, ICC_ASGI1R_EL1, ICC_SGI0R_EL1: a virtual SGI */
	MODEL_DC_VA,      /* DC by VA: made on the guest's own page */
	MODEL_DC_ZVA,     /* DC ZVA: zeroes the block through a checked translation */
	MODEL_IC_VA,      /* IC IVAU: invalidates all, which is never less */
	MODEL_PMSWINC,    /* PMSWINC_EL0: counts at the guest's level */
	/* MMIO windows */
	MODEL_VGIC_DIST,
	MODEL_VGIC_REDIST,
	MODEL_PL011,
	MODEL_PL031,
	MODEL_VIRTIO_MMIO,   /* a network card, disk, console or entropy source, its queues mediated */
	MODEL_VIRTIO_NET,    /* ... a network card or nothing */
	MODEL_VIRTIO_BLK,    /* ... a disk or nothing */
	MODEL_VIRTIO_BLK_RO, /* ... a disk that is never written */
	/* calls the hypervisor serves */
	MODEL_HV_GET_ID,
	MODEL_HV_DUMP_LOG,
	MODEL_HV_GET_STATUS,
	MODEL_HV_PAUSE,
	MODEL_HV_CONSOLE_WRITE,
	MODEL_HV_REPORT_EXCEPTION,
	MODEL_SMCCC_VERSION,
	MODEL_SMCCC_ARCH_FEATURES,
	MODEL_PSCI_VERSION,
	MODEL_PSCI_FEATURES,
	MODEL_PSCI_CPU_SUSPEND,
	MODEL_PSCI_CPU_OFF,
	MODEL_PSCI_CPU_ON,
	MODEL_PSCI_AFFINITY_INFO,
	MODEL_PSCI_MIGRATE_INFO_TYPE,
	MODEL_PSCI_SYSTEM_OFF,
	MODEL_PSCI_SYSTEM_RESET,
	MODEL_COUNT
};

/* One row: a rule's meaning for one kind of access. 32 bytes. */
struct decision {
	u16 rule;      /* index of policy_rules[] */
	u8 action;     /* enum action */
	u8 verdict;    /* enum verdict_word */
	u8 log;        /* enum log_when */
	u8 tells;      /* enum tells */
	u16 arg;       /* sysreg ALLOW/MASK: replay stub; DENY: enum refusal; EMULATE: enum model */
	u16 limit;     /* index of policy_limits[], 0 = none */
	u16 where;     /* index of policy_conditions[]: its first condition, 0 = none */
	u16 otherwise; /* row if `where` does not hold, below this one */
	u16 before;    /* the only row whose `otherwise` leads here; 0 = none */
	u64 value;
	u64 mask;      /* sysreg ALLOW, write: bits of the real register that may be written; virtio: WITHHELD, REQUESTS */
};
_Static_assert(sizeof(struct decision) == 32, "policygen renders this layout");
#define VIRTIO_WITHHELD(mask) ((u32)(mask))         /* feature bits 0 to 31 that are not offered */
#define VIRTIO_REQUESTS(mask) ((u32)((mask) >> 32)) /* a second and queue, 0: no limit */

/* A rate limit: `rate` decisions a second, with a burst of one second's worth; beyond it row `over` decides. */
struct limit {
	u32 rate;
	u16 over;
	u16 pad;
};

/* The 64-bit words of a record (struct log_record of cpu/log.h), which are all that conditions look at. */
enum word { WORD_SEQ, WORD_TIME, WORD_PC, WORD_ADDR, WORD_VALUE, WORD_HEADER, WORD_COST, WORD_AUX, WORD_COUNT };
#define HEADER_EL 52 /* of WORD_HEADER: the exception level, two bits */
/* The word itself; or the bits that a write changes or clears in the register, whose value before is WORD_ADDR. */
enum test { TEST_WORD, TEST_CHANGED, TEST_CLEARED };
/* A call's record has room for two arguments: those that conditions look at. TELLS_RAM: a record of guest RAM. */
enum tells { TELLS_X1_X2, TELLS_X1_X3, TELLS_X2_X3, TELLS_RAM };

/* One condition of a `where`: a word, or what a write makes of the register, shifted and masked, lies in one of its spans. */
struct condition {
	u8 word;   /* enum word */
	u8 test;   /* enum test */
	u8 shift;
	u8 more;   /* how many further ones follow that have to hold as well */
	u16 span;  /* index of policy_spans[]: the first of them */
	u8 spans;  /* how many numbers and ranges will do */
	u8 pad;
	u16 held;  /* a row's first: the replay stub that reads what the register holds, 0 = nobody asks */
	u16 pad2[3];
	u64 mask;
};
struct span {
	u64 low, high;
};

#define MMIO_SIZE 0x40000000UL /* the windows' share of the map; guest RAM is above */

/* A range of IPAs with one decision. Ranges never cross a page unless they cover it whole. */
struct mmio_range {
	u32 base, last;    /* IPA, inclusive */
	u16 row[2];        /* read, write */
	u16 refuse[2];     /* row for a width that is not listed */
	u8 widths[2];      /* bit n: accesses of 1 << n bytes are decided by row[] */
	u16 more;          /* how many more ranges of this page follow in the array */
};

/* Pages of guest RAM that stage 2 does not give whole. Sorted by base, apart. */
struct memory {
	u32 base, last; /* IPA, inclusive */
	u16 row[2];     /* a write, an instruction */
	u16 may;        /* MAY_*: what runs without a trap */
	u16 pad;
};
#define MAY_WRITE 1u
#define MAY_EXEC  2u
#define NO_ROW    0xffffu

/* An exact function number; a slot with another id is a miss. */
struct call_slot {
	u32 id;
	u16 row;
	u16 used;
};
struct call_range {
	u32 first, last;
	u16 row;
	u16 pad;
};
/*
 * slot = slots[(hash >> 16 ^ disp[hash & disp_mask]) & slot_mask] with hash = (id ^ id >> 16) * 0x9e3779b1 mod 2^32,
 * then hash ^= hash >> 15.
 */
struct call_table {
	const u16 *disp;
	const struct call_slot *slots;
	const struct call_range *ranges; /* sorted, they cover 0..0xffffffff */
	u32 disp_mask, slot_mask, n_ranges, pad;
};

/* Exception classes: ESR_EL2.EC, and a few that need a name of their own. */
enum exception_class {
	EXC_EC_COUNT = 64,
	EXC_DABT_NO_SYNDROME = 64, /* stage 2 data abort with ISV = 0 outside RAM */
	EXC_DABT_WALK = 65,        /* stage 2 fault on a stage 1 table walk (S1PTW) */
	EXC_COUNT
};

/* A rule, for people. */
struct rule_info {
	const char *place; /* "policy/strict.yaml:38" */
	const char *text;  /* the YAML line, stripped */
	const char *why;   /* or NULL */
	u8 section;        /* enum section */
};
enum section { SEC_SYSREGS, SEC_MMIO, SEC_MEMORY, SEC_HVC, SEC_SMC, SEC_EXCEPTIONS, SEC_FEATURES, SEC_COUNT };

/* A window for people: the name of an IPA in `map` and the log. Sorted by base; windows do not overlap. */
struct window_info {
	u32 base, last;
	const char *name;
	u16 rule;
	u8 registers; /* something is in it: `log: once` is for each address, else for the window */
	u8 pad;
};

/* Pages that the guest reaches without a trap: IPA = PA, Device-nGnRE. */
struct passthrough {
	u32 base, last; /* page aligned, inclusive */
	u8 read, write; /* stage 2 S2AP */
	u8 pad[2];
	u16 rule, pad2;
};

/*
 * The EL2 controls that make the policy true, before vcpu.c clears those that this CPU lacks. The members are those of
 * policygen/facts/controls.py, in its order: build/gen/replay.S writes them all.
 */
struct trap_controls {
	u64 hcr, mdcr, cptr, cnthctl, hstr, ich_hcr;
	u64 vpidr, vmpidr_or;                        /* vpidr 0: shows the real MIDR_EL1 */
	u64 hcrx;                                    /* FEAT_HCX */
	u64 hfgrtr, hfgwtr, hfgitr, hdfgrtr, hdfgwtr; /* FEAT_FGT */
	u64 hfgrtr2, hfgwtr2, hfgitr2, hdfgrtr2, hdfgwtr2; /* FEAT_FGT2 */
	u64 hafgrtr;                                 /* FEAT_FGT and FEAT_AMUv1 */
	u64 mpam2;                                   /* FEAT_MPAM */
};

/*
 * A register whose refusal the operator may let pass: the decision that `mode: audit` would make, for a read and a
 * write. A register that is not listed cannot be reached in the guest's place.
 */
struct passing {
	u16 key;       /* as sysreg_key() */
	u16 arg;
	u8 action[2];  /* enum action */
	u8 pad[2];
	u64 mask[2];
	u64 value;     /* of a read */
};

struct sysreg_name {
	u16 key;  /* as sysreg_key() */
	u16 name; /* offset into policy_sysreg_text */
};

/* --- defined in build/gen/ ------------------------------------------------------------------------- */
extern const char policy_name[];
extern const char policy_file[]; /* as policygen takes it: "policy/strict.yaml" */
extern const u64 policy_hash; /* meaning hash: equal iff the decisions are equal */
extern const u32 policy_wording; /* equal iff rules have the same numbers and stand in the same text */
extern const struct decision policy_rows[];
extern const u16 policy_n_rows;
extern const struct rule_info *const policy_far_rules; /* policy_rules[], beyond the reach of a PC-relative address */
extern const u16 policy_n_rules;
extern const struct limit policy_limits[];
extern const u16 policy_n_limits;
extern const struct condition policy_conditions[];
extern const char *const policy_condition_texts[]; /* as written: "M: sticky" */
extern const struct span policy_spans[];

extern const u16 policy_sysreg_page[4096]; /* by ISS[21:10] */
extern const u16 policy_sysreg_leaf[][32]; /* by ISS[4:0]: CRm, direction */

extern const u8 policy_mmio_root[512];     /* by IPA[29:21] */
extern const u16 policy_mmio_leaf[][512];  /* by IPA[20:12]: index of the page's first range */
extern const struct mmio_range *const policy_far_ranges; /* policy_mmio_ranges[], as policy_far_rules */
extern const u16 policy_mmio_default[2];   /* rows: a read, a write above 1 GiB */
extern const u16 policy_mmio_straddle[2];  /* rows: a read, a write that touches ranges with different rows */

/* Whether the policy speaks of guest RAM (gen/image.mk): an image of one that does not has no code for it. */
#ifndef POLICY_MEMORY
#define POLICY_MEMORY 1
#endif
extern const struct memory policy_memory[];
extern const u16 policy_n_memory;

extern const struct call_table policy_hvc, policy_smc;
extern const u16 policy_exception[EXC_COUNT];
extern const char *const policy_class_names[EXC_COUNT]; /* "WFX"; NULL for a class without a name */

extern const struct window_info policy_windows[];
extern const u16 policy_n_windows;
extern const struct passthrough policy_passthrough[];
extern const u16 policy_n_passthrough;
extern const struct trap_controls policy_traps;
extern const struct passing policy_passing[]; /* sorted by key */
extern const u16 policy_n_passing;
extern const struct sysreg_name policy_sysreg_names[]; /* sorted by key */
extern const u16 policy_n_sysreg_names;
extern const char policy_sysreg_text[];

/*
 * Replay stubs (build/gen/replay.S) in halves of 8 bytes. That of decision.arg `mrs x0, REG; ret`, the one behind it
 * `msr REG, x0; ret` (or SYS); where no row asks for one of them, another stub's half stands in its place.
 */
extern const char policy_replay[];
static inline const char *policy_stub(u16 arg)
{
	return policy_replay + 8 * (u64)arg;
}
/* Writes each member of `t` into its register, if this CPU has it (build/gen/replay.S). */
void policy_write_controls(const struct trap_controls *t);

/* --- policy.c, where.c: pure -------------------------------------------------------------------------------- */

/* The register's 16 bits in architectural order: op0 op1 CRn CRm op2. */
static inline u16 sysreg_key(u32 iss)
{
	return (u16)(FIELD(iss, 21, 20) << 14 | FIELD(iss, 16, 14) << 11 | FIELD(iss, 13, 10) << 7 |
		     FIELD(iss, 4, 1) << 3 | FIELD(iss, 19, 17));
}

/* Row for a trapped MSR, MRS or SYS (ESR_EL2.EC 0x18), by its ISS. Two dependent loads. */
static inline u16 policy_sysreg(u32 iss)
{
	return policy_sysreg_leaf[policy_sysreg_page[(iss >> 10) & 0xfff]][iss & 0x1f];
}

/* Row for a data access of 1 << `log2` bytes at IPA `ipa`. */
u16 policy_mmio(u64 ipa, unsigned log2, bool write);
/* The part of guest RAM that holds `ipa` and that stage 2 does not give whole, or NULL. */
const struct memory *policy_guard(u64 ipa);
/* Row for a write or an instruction at IPA `ipa` of guest RAM; NO_ROW: stage 2 gives it. */
u16 policy_ram(u64 ipa, bool exec);
/* Row for function `id`; like the rows above, before policy_where() applies its conditions. */
u16 policy_call(const struct call_table *table, u32 id);
/* An argument as function `id` takes it: a W register for SMC32 and HVC32 (SMCCC, "Function Identifiers"). */
static inline u64 policy_argument(u32 id, u64 x)
{
	return id >> 30 == 2 ? (u32)x : x;
}
/* Whether the condition holds for an access with this record. */
truth policy_holds(const struct condition *k, const u64 record[WORD_COUNT]);
/* Follows `where`/`otherwise` to the row that decides for an access with this record. */
u16 policy_where(u16 row, const u64 record[WORD_COUNT]);
/* How the operator may let this register's refusal pass, or NULL. */
const struct passing *policy_pass(u16 key);
/* "PMCR_EL0", or NULL for a key without a name in the table. */
const char *policy_sysreg_name(u16 key);
/* The window that holds `ipa`, or NULL. */
const struct window_info *policy_window(u64 ipa);
/* The place that `log: once` counts by: the address itself, the start of a window without registers, or of what lies between windows. */
u64 policy_place(u64 ipa);

#endif
