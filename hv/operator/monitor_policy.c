/* SPDX-License-Identifier: Apache-2.0 */
/* The policy at run time: which line decided on what, how often, and why. */
#include "cpu/esr.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/monitor_cmd.h"

#define RULES_SORTED 512

static const char *const refusals[REFUSE_COUNT] = {
	[REFUSE_UNDEF] = "UNDEFINED instruction into the guest's EL1",
	[REFUSE_SEA] = "synchronous external abort into the guest's EL1",
	[REFUSE_SERROR] = "virtual SError",
	[REFUSE_NOT_SUPPORTED] = "x0 = -1 (NOT_SUPPORTED)",
	[REFUSE_INVALID_PARAMETERS] = "x0 = -2 (INVALID_PARAMETERS)",
	[REFUSE_DENIED] = "x0 = -3 (DENIED)",
	[REFUSE_PERMISSION] = "permission fault",
};
_Static_assert(REFUSE_COUNT == 7, "refusals[] has a text for each enum refusal");
static const char *const effects[ACT_COUNT] = {
	[ACT_ALLOW] = "the real register, device or service",
	[ACT_DENY] = "refused",
	[ACT_VALUE] = "a constant",
	[ACT_IGNORE] = "the write is discarded",
	[ACT_MASK] = "some bits of the real register",
	[ACT_EMULATE] = "a model of the hypervisor",
	[ACT_FORWARD] = "handed to the guest's EL1",
	[ACT_PAUSE] = "the guest stops before it takes effect",
	[ACT_KILL] = "the guest stops for good",
};
_Static_assert(ACT_COUNT == 9, "effects[] has a text for each enum action");

/* --- policy --------------------------------------------------------------------------------------- */

/* The verdict of the row that decided most often. */
static const char *rule_verdict(unsigned rule)
{
	unsigned word = V_COUNT;
	u64 most = 0;

	for (unsigned i = 0; i < policy_n_rows; i++) {
		u64 hits = 0, cost = 0;

		if (policy_rows[i].rule != rule)
			continue;
		row_sum(i, &hits, &cost);
		if (word == V_COUNT || hits > most) {
			word = policy_rows[i].verdict % V_COUNT;
			most = hits;
		}
	}
	return word < V_COUNT ? log_verdicts[word] : "-";
}

static void hits_line(unsigned rule, u64 hits, u64 all)
{
	char name[8];

	ksnprintf(name, sizeof(name), "r%u", rule);
	say_share(hits, all);
	kprintf("  %-7s %-4s %-24s %.22s\n", rule_verdict(rule), name, policy_far_rules[rule].place,
		policy_far_rules[rule].text);
}

/* Most hits first. Rules beyond RULES_SORTED are counted together, but not listed. */
static void policy_hits(struct monitor *m)
{
	static u64 sums[RULES_SORTED];
	unsigned n = policy_n_rules < RULES_SORTED ? policy_n_rules : RULES_SORTED, never = 0;
	u64 all = 0, cost;

	kprintf("      hits     %%  verdict rule source                   text\n");
	for (unsigned i = 0; i < policy_n_rules; i++) {
		u64 hits;

		rule_sum(i, &hits, &cost);
		all += hits;
		if (i >= n)
			continue;
		sums[i] = hits;
		never += !hits;
	}
	for (;;) {
		unsigned best = 0;

		for (unsigned i = 1; i < n; i++)
			if (sums[i] > sums[best])
				best = i;
		if (!n || !sums[best])
			break;
		hits_line(best, sums[best], all);
		sums[best] = 0;
		if (!monitor_more(m))
			return;
	}
	kprintf("%u of %u rules never decided anything\n", never, n);
}

static void say_rule(unsigned rule)
{
	const struct rule_info *info = &policy_far_rules[rule];

	kprintf("r%u  %s  (%s)\n  %s\n", rule, info->place, info->section < SEC_COUNT ? policy_sections[info->section] : "?",
		info->text);
	if (info->why)
		kprintf("  why: %s\n", info->why);
}

static void say_effect(const struct decision *d)
{
	kprintf("  effect: %s", d->action < ACT_COUNT ? effects[d->action] : "?");
	if (d->action == ACT_DENY && d->arg < REFUSE_COUNT)
		kprintf(": %s", refusals[d->arg]);
	if (d->action == ACT_VALUE)
		kprintf(" 0x%lx", d->value);
	if (d->action == ACT_MASK)
		kprintf(" 0x%lx, the others 0x%lx", d->mask, d->value);
	kprintf("\n");
}

/* The conditions from number `first` on, which have to hold together; with a record: whether each did. */
static void say_conditions(unsigned first, const u64 *record)
{
	for (unsigned more = first; more; more = policy_conditions[first++].more)
		kprintf("  where %s%s\n", policy_condition_texts[first],
			!record ? "" : policy_holds(&policy_conditions[first], record) ? "  held" : "  did not hold");
}

static void policy_show(const char *args)
{
	u64 rule, hits, cost;

	if (*args == 'r')
		args++;
	if (!take_number(&args, &rule) || *args || rule >= policy_n_rules) {
		complain("policy show rN: r0 to r%u\n", policy_n_rules - 1u);
		return;
	}
	say_rule((unsigned)rule);
	for (unsigned i = 0; i < policy_n_rows; i++) {
		const struct decision *d = &policy_rows[i];

		if (d->rule != rule)
			continue;
		hits = cost = 0;
		row_sum(i, &hits, &cost);
		kprintf("  %-6s %lu hits,", log_verdicts[d->verdict % V_COUNT], hits);
		say_time(cost, 10);
		kprintf(", log %s%s%s\n", d->log == LOG_NEVER ? "never" : d->log & LOG_ONCE ? "once" : "always",
			d->log > LOG_ALWAYS ? ", trace" : "", d->limit ? ", with a limit" : "");
		say_effect(d);
		say_conditions(d->where, NULL);
	}
}

static void policy_find(struct monitor *m, const char *word)
{
	unsigned found = 0;
	u64 hits, cost;

	if (!*word) {
		complain("policy find WORD\n");
		return;
	}
	for (unsigned i = 0; i < policy_n_rules; i++) {
		const struct rule_info *r = &policy_far_rules[i];

		if (!strstr(r->text, word) && !strstr(r->place, word) && !(r->why && strstr(r->why, word)))
			continue;
		found++;
		rule_sum(i, &hits, &cost);
		kprintf("r%-4u %-24s %.40s  %lu hits\n", i, r->place, r->text, hits);
		if (!monitor_more(m))
			return;
	}
	if (!found)
		kprintf("no rule with '%s'; a register's group or `default` may decide it\n", word);
}

void monitor_policy(struct monitor *m, const char *args)
{
	if (!*args || (take_word(&args, "hits") && !*args))
		policy_hits(m);
	else if (take_word(&args, "show"))
		policy_show(args);
	else if (take_word(&args, "find"))
		policy_find(m, args);
	else if (take_word(&args, "hash") && !*args)
		kprintf("%s#%016lx  (equal if and only if the decisions are equal)\n", policy_name, policy_hash);
	else if (take_word(&args, "diff") && !*args)
		monitor_rule(m, "");
	else
		complain("policy hits | show rN | find WORD | hash | diff\n");
}

/* --- why ------------------------------------------------------------------------------------------ */

const struct log_record *monitor_subject(struct monitor *m)
{
	struct cpu *c = m->c;
	const struct log_record *newest = NULL;
	u64 first = c->log.seq > LOG_RING ? c->log.seq - LOG_RING : 0;

	if (c->stopped_seq != ~0UL) {
		const struct log_record *r = log_find(c, c->stopped_seq);

		if (r && r->kind == REC_DECISION)
			return r;
	}
	for (u64 seq = c->log.seq; seq-- > first;) {
		const struct log_record *r = log_find(c, seq);

		if (!r || r->kind != REC_DECISION)
			continue;
		if (r->info & INFO_NOTABLE)
			return r;
		if (!newest)
			newest = r;
	}
	return newest;
}

/* The conditions one after the other, up to those of the record's row. */
static void why_conditions(const struct log_record *r)
{
	unsigned row = r->row;

	while (policy_rows[row].before)
		row = policy_rows[row].before;
	for (; policy_rows[row].where; row = policy_rows[row].otherwise) {
		say_conditions(policy_rows[row].where, (const u64 *)r);
		if (row == r->row)
			break;
	}
}

/* The operator's ways to change this decision. */
static void say_remedy(const struct decision *d, unsigned verdict)
{
	if (verdict == V_ALLOW || verdict == V_EMUL || verdict == V_WOULD)
		return;
	if (d->action == ACT_DENY || d->action == ACT_KILL || d->action == ACT_FORWARD) /* as let_pass() decides */
		kprintf("  to let it pass: `rule r%u would`\n", d->rule);
	kprintf("  to be asked first, next time: `rule r%u stop`\n"
		"  for good: an entry for it beside %s, and build again\n", d->rule, policy_far_rules[d->rule].place);
}

/* The trap that stopped the guest, by a rule that does not log. */
static void why_last(const struct monitor *m)
{
	char subject[96];
	const struct decision *d = m->c->row->decision;

	describe_frame(subject, sizeof(subject), &m->c->frame);
	kprintf("the last trap: %s %s (no record: its rule does not log)\n", log_verdicts[d->verdict % V_COUNT], subject);
	say_rule(d->rule);
	say_effect(d);
}

void monitor_why(struct monitor *m, const char *args)
{
	const struct log_record *r;
	const struct decision *d;
	u64 seq, hits = 0, cost = 0;

	if (*args) {
		if (!take_number(&args, &seq) || *args) {
			complain("why SEQ: the number of a decision's record\n");
			return;
		}
		r = log_find(m->c, seq);
		if (r && r->kind != REC_DECISION) {
			complain("seq %lu is no decision\n", seq);
			return;
		}
	} else if (m->c->stopped_seq == ~0UL && (!strcmp(m->stop_reason, "until") || !strcmp(m->stop_reason, "rule"))) {
		why_last(m);
		return;
	} else {
		r = monitor_subject(m);
	}
	if (!r || r->row >= policy_n_rows) {
		complain("no such decision in the rings (overwritten, or its rule does not log)\n");
		return;
	}
	d = &policy_rows[r->row];
	log_print(m->c, r);
	say_insn_there(m, r->pc - (esr_class(r->esr) == EC_HVC64 ? 4 : 0)); /* only an HVC's PC is past the instruction */
	say_rule(d->rule);
	say_effect(d);
	why_conditions(r);
	row_sum(r->row, &hits, &cost);
	kprintf("  decided so %lu times\n", hits);
	say_remedy(d, INFO_VERDICT(r->info));
	kprintf("  which entries lost, the compiler knows; it takes the first line:\n"
		"    python3 -m policygen explain %s \"@%c %lu ...\"\n", policy_file, r->n > 1 ? 'A' : 'D', r->seq);
}
