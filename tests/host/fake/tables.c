/* SPDX-License-Identifier: Apache-2.0 */
/* A small policy as policygen would render it: one rule of each kind. */
#include "policy/policy.h"

const char policy_name[] = "lockdown";
const char policy_file[] = "tests/lockdown.yaml";
const u64 policy_hash = 0x3b1c77aa01234567;
const u32 policy_wording = 0x0badcafe;

const struct rule_info policy_rules[] = {
	{ "policy/test.yaml:10", "id: { do: allow, log: always }", NULL, SEC_SYSREGS },
	{ "policy/test.yaml:11", "pmu: deny", "no performance counters for guests", SEC_SYSREGS },
	{ "policy/test.yaml:20", "uart0: { emulate: pl011, width: [1, 2, 4] }", NULL, SEC_MMIO },
	{ "policy/test.yaml:30", "HV_PAUSE: pause", NULL, SEC_HVC },
	{ "policy/test.yaml:40", "default: deny", NULL, SEC_SMC },
	{ "policy/test.yaml:50", "WFX: { do: allow, log: always }", NULL, SEC_EXCEPTIONS },
	{ "policy/test.yaml:12", "ACTLR_EL1: raz-wi", NULL, SEC_SYSREGS },
	{ "policy/test.yaml:51", "BRK64: kill", NULL, SEC_EXCEPTIONS },
	{ "policy/test.yaml:13", "core: allow", NULL, SEC_SYSREGS },
	{ "policy/test.yaml:21", "rtc: { direct: rw }", NULL, SEC_MMIO },
	{ "policy/test.yaml:25", "text: { at: 0x40200000, size: 4K, may: rx }", "patched by nobody", SEC_MEMORY },
};
const struct rule_info *const policy_far_rules = policy_rules;
const u16 policy_n_rules = ARRAY_SIZE(policy_rules);

const char *const policy_class_names[EXC_COUNT] = {
#include "class_names.h" /* hvl_host.py: class_names() */
};

const struct decision policy_rows[] = {
	{ .rule = 0, .action = ACT_ALLOW, .verdict = V_ALLOW, .log = LOG_ALWAYS },
	{ .rule = 1, .action = ACT_DENY, .verdict = V_DENY, .log = LOG_ONCE, .arg = REFUSE_UNDEF },
	{ .rule = 2, .action = ACT_EMULATE, .verdict = V_EMUL, .arg = MODEL_PL011 },
	{ .rule = 3, .action = ACT_PAUSE, .verdict = V_PAUSE, .log = LOG_ONCE },
	{ .rule = 4, .action = ACT_DENY, .verdict = V_DENY, .log = LOG_ONCE, .arg = REFUSE_NOT_SUPPORTED },
	{ .rule = 5, .action = ACT_ALLOW, .verdict = V_ALLOW, .log = LOG_ALWAYS },
	{ .rule = 6, .action = ACT_VALUE, .verdict = V_RAZWI, .value = 0 },
	{ .rule = 6, .action = ACT_IGNORE, .verdict = V_RAZWI },
	{ .rule = 7, .action = ACT_KILL, .verdict = V_KILL, .log = LOG_ONCE },
	{ .rule = 1, .action = ACT_ALLOW, .verdict = V_WOULD, .log = LOG_ONCE },
	{ .rule = 5, .action = ACT_FORWARD, .verdict = V_INJECT, .log = LOG_ONCE },
	{ .rule = 8, .action = ACT_MASK, .verdict = V_EMUL, .mask = 0xff, .value = 0x100 },
	{ .rule = 4, .action = ACT_DENY, .verdict = V_DENY, .log = LOG_ALWAYS, .tells = TELLS_X1_X3, .arg = REFUSE_NOT_SUPPORTED },
	{ .rule = 4, .action = ACT_DENY, .verdict = V_DENY, .log = LOG_ALWAYS, .tells = TELLS_X2_X3, .arg = REFUSE_NOT_SUPPORTED },
	{ .rule = 8, .action = ACT_DENY, .verdict = V_DENY, .log = LOG_ALWAYS, .before = 15, .arg = REFUSE_UNDEF },
	{ .rule = 8, .action = ACT_ALLOW, .verdict = V_ALLOW, .log = LOG_ALWAYS, .where = 1, .otherwise = 14 },
	{ .rule = 10, .action = ACT_DENY, .verdict = V_DENY, .log = LOG_ALWAYS, .tells = TELLS_RAM, .arg = REFUSE_PERMISSION },
};
const u16 policy_n_rows = ARRAY_SIZE(policy_rows);

const struct window_info policy_windows[] = {
	{ 0x08000000, 0x0800ffff, "gicd", 2, 1, 0 },
	{ 0x09000000, 0x09000fff, "uart0", 2, 1, 0 },
	{ 0x0a000000, 0x0a003fff, "virtio", 2, 1, 0 },
};
const u16 policy_n_windows = ARRAY_SIZE(policy_windows);
/* An exception class decides, so that no row is this rule's. */
const struct passthrough policy_passthrough[] = { { 0x09010000, 0x09010fff, 1, 1, { 0 }, 9, 0 } };
const u16 policy_n_passthrough = ARRAY_SIZE(policy_passthrough);

/* One page of code. */
const struct memory policy_memory[] = { { 0x40200000, 0x40200fff, { 16, 16 }, MAY_EXEC, 0 } };
const u16 policy_n_memory = ARRAY_SIZE(policy_memory);

/* Sorted by key: PMCR_EL0 is S3_3_C9_C12_0, SCTLR_EL1 is S3_0_C1_C0_0, TLBI VMALLE1 is S1_0_C8_C7_0. */
#define KEY(op0, op1, n, m, op2) ((op0) << 14 | (op1) << 11 | (n) << 7 | (m) << 3 | (op2))
const struct sysreg_name policy_sysreg_names[] = {
	{ KEY(1, 0, 8, 7, 0), 0 },
	{ KEY(3, 0, 1, 0, 0), 13 },
	{ KEY(3, 3, 9, 12, 0), 23 },
};
const u16 policy_n_sysreg_names = ARRAY_SIZE(policy_sysreg_names);
const struct passing policy_passing[] = {
	{ .key = KEY(3, 3, 9, 12, 0), .arg = 7, .action = { ACT_ALLOW, ACT_ALLOW }, .mask = { ~0UL, ~0UL } },
};
const u16 policy_n_passing = ARRAY_SIZE(policy_passing);
const char policy_sysreg_text[] = "TLBI VMALLE1\0SCTLR_EL1\0PMCR_EL0";

/* Symbols that policy.c needs to link; the log and the monitor do not look decisions up. */
const u8 policy_mmio_root[512];
const u16 policy_mmio_leaf[1][512];
const struct mmio_range policy_mmio_ranges[1];
const struct mmio_range *const policy_far_ranges = policy_mmio_ranges;
const u16 policy_mmio_default[2], policy_mmio_straddle[2];
const struct condition policy_conditions[] = {
	{ .word = WORD_VALUE },
	{ .word = WORD_VALUE, .test = TEST_CLEARED, .more = 1, .spans = 1, .mask = 1 },
	{ .word = WORD_VALUE, .shift = 25, .spans = 1, .mask = 1 },
};
const struct span policy_spans[] = { { 0, 0 } };
const char *const policy_condition_texts[] = { "", "M: sticky", "EE: 0" };
const u16 policy_sysreg_page[4096], policy_sysreg_leaf[1][32];
