/* SPDX-License-Identifier: Apache-2.0 */
/* The list of the monitor's commands: runs the one that a line names, completes names, and prints `help`. */
#include "arch/arch.h"
#include "cpu/vtime.h"
#include "lib/build.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/line.h"
#include "operator/monitor_cmd.h"

static monitor_command help, reset, power_off, gdb;

/* The list of commands, for dispatch, completion and `help`. Groups stand together. */
static const struct command {
	const char *group, *name, *usage, *help;
	monitor_command *run;
	bool writes; /* refused in a locked build */
} commands[] = {
	{ "state", "status", "", "guest, policy, log and traps at a glance", monitor_status, false },
	{ "state", "regs", "[-c]", "the guest's registers and its syndrome; -c: what changed since the last stop",
	  monitor_regs, false },
	{ "state", "sysregs", "[-d] [mmu|exc|timer|debug|id|vgic|el2|all|NAME]", "system registers; -d: what changed",
	  monitor_sysregs, false },
	{ "state", "el2", "", "EL2's own registers, stack and log", monitor_el2, false },
	{ "state", "cpu", "[N]", "the monitor moves to that CPU: regs, bt, xlat, sysregs, step, why are its own", monitor_cpu, false },
	{ "state", "bt", "", "return addresses along the frame pointers", monitor_bt, false },
	{ "memory", "x", "/[N][x|g|w|h|b] ADDR", "memory in units of 8, 4, 2 or 1 bytes", monitor_x, false },
	{ "memory", "w", "[8|4|2|1] ADDR VALUE", "writes memory; instruction caches are cleaned", monitor_w, true },
	{ "memory", "find", "ADDR SIZE TEXT|NUMBER", "where a text or a number occurs", monitor_find, false },
	{ "memory", "xlat", "ADDR", "both stages of the translation, level by level", monitor_xlat, false },
	{ "memory", "map", "", "what each IPA is, and by which line of the policy", monitor_map, false },
	{ "memory", "dis", "[ADDR [N]]", "instructions", monitor_dis, false },
	{ "policy", "policy", "[hits | show rN | find WORD | hash | diff]", "rules, their lines and how often they decided",
	  monitor_policy, false },
	{ "policy", "why", "[SEQ]", "why a decision came out as it did", monitor_why, false },
	{ "policy", "traps", "[-r | -w | clear]", "decisions and their cost by class, or by rule; -w: each second until a key;\n"
	  "  clear: counted anew; p50, p95 and max are of the decisions that the rings hold", monitor_traps, false },
	{ "policy", "rule", "[rN would | stop | reset]", "refusals pass and are logged WOULD; ask first; as built",
	  monitor_rule, true },
	{ "log", "log", "[status | tail [N] | grep FILTER | mode [text|notable|full|quiet] | level CLASS text|notable |\n"
	  "  live on|off | clear | dump]",
	  "the evidence log; grep: deny & mmio & pc LOW HIGH & since 10s; level: one class in another mode;\n"
	  "  clear: tail and grep begin here", monitor_log, false },
	{ "log", "mark", "TEXT", "a marker in the log", monitor_mark, false },
	{ "log", "dump", "", "totals into the log, now", monitor_dump, false },
	{ "run", "cont", "", "the guest goes on (^D)", monitor_cont, false },
	{ "run", "step", "[-i] [N]", "N instructions; -i: interrupts of the guest wait", monitor_step, true },
	{ "run", "until", "ADDR | lr | trap | rule rN | seq N | SECONDS", "the guest goes on until then", monitor_until,
	  true },
	{ "run", "bp", "ADDR [if $xN == V] [log] | -d N | -l", "breakpoint; log: a mark, and on; -d deletes, -l lists",
	  monitor_bp, true },
	{ "run", "wp", "r|w|rw ADDR [BYTES] [if ...] [log] | -d N | -l", "watchpoint", monitor_wp, true },
	{ "run", "set", "$REG = VALUE | esc ^]|none | columns N | prompt \"TEXT\" | machine on|off",
	  "a register of the guest; the monitor's key; your terminal;\n"
	  "  machine: each command ends with `ok` or `err: ...`",
	  monitor_set, false },
	{ "run", "inject", "undef | serror | abort [ADDR] | irq N", "an exception or interrupt for the guest",
	  monitor_inject, true },
	{ "run", "reset", "", "finish the log and reset the machine", reset, false },
	{ "run", "poweroff", "", "finish the log and power off", power_off, false },
	{ "session", "gdb", "", "gdb's remote protocol on this line, until it detaches", gdb, true },
	{ "session", "echo", "on|off", "whether the monitor shows what is typed", monitor_echo, false },
	{ "session", "time", "[hide on|off]", "whether the guest's CNTVCT stands still while it is stopped", monitor_time, false },
	{ "session", "help", "[COMMAND]", "this list, or one command", help, false },
	{ "session", "hist", "", "the lines typed so far", monitor_history, false },
};

/* The usage of the one command that the line begins with; "" if there is none. */
static const char *usage_of(const char *line, size_t n)
{
	const char *usage = "";

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strncmp(commands[i].name, line, n))
			continue;
		if (!commands[i].name[n])
			return commands[i].usage;
		if (*usage)
			return "";
		usage = commands[i].usage;
	}
	return usage;
}

const char *monitor_candidate(const char *line, size_t first, unsigned i, char word[WORD_MAX])
{
	const char *usage = first ? usage_of(line, first) : NULL;

	if (!usage || strstr(usage, "COMMAND"))
		return i < ARRAY_SIZE(commands) ? commands[i].name : NULL;
	for (size_t n; *usage; usage += n) {
		for (n = 0; usage[n] >= 'a' && usage[n] <= 'z' && n < WORD_MAX - 1; n++)
			word[n] = usage[n];
		word[n] = '\0';
		if (n > 1 && (usage[n] < 'A' || usage[n] > 'Z') && !i--)
			return word;
		for (; (usage[n] >= 'A' && usage[n] <= 'Z') || (!n && usage[n]); n++)
			;
	}
	return NULL;
}

#define ENDS "`cont` lets the guest go on, `poweroff` ends it"
/* Words of gdb and other tools: a command, or what to say. */
static const struct {
	char word[6];
	const char *means;
} others[] = {
	{ "?", "help" }, { "c", "cont" }, { "s", "step" }, { "si", "step" }, { "b", "bp" },
	{ "q", ENDS }, { "quit", ENDS }, { "exit", ENDS },
	{ "info", "`regs`, `bp -l`, `wp -l`, `status`, `bt`, `map`" },
};

/* The command that the first `n` bytes of `word` name, in full or by a unique prefix; else NULL, after a message. */
static const struct command *find(const char *word, size_t n)
{
	const struct command *found = NULL;
	unsigned matches = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		if (strncmp(others[i].word, word, n) || others[i].word[n])
			continue;
		if (*others[i].means == '`') {
			complain("%s\n", others[i].means);
			return NULL;
		}
		word = others[i].means;
		n = strlen(word);
		break;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strncmp(commands[i].name, word, n))
			continue;
		if (!commands[i].name[n])
			return &commands[i];
		found = &commands[i];
		matches++;
	}
	if (matches == 1)
		return found;
	if (!matches) {
		complain("no command '%.*s'; `help` lists them\n", (int)n, word);
		return NULL;
	}
	complain("'%.*s' is", (int)n, word);
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strncmp(commands[i].name, word, n))
			kprintf("%s %s", --matches ? "" : " or", commands[i].name);
	kprintf("\n");
	return NULL;
}

/* `w4 ADDR` and `x/4b ADDR`: text right behind the name is an argument. */
static size_t name_length(const char *s)
{
	size_t n = 0;

	while (s[n] && s[n] != ' ' && s[n] != '/' && !(n == 1 && *s == 'w' && s[n] <= '9'))
		n++;
	return n;
}

truth monitor_gone(const struct monitor *m)
{
	return !strcmp(m->stop_reason, "panic") || !strcmp(m->stop_reason, "kill");
}

static void help(struct monitor *m, const char *args)
{
	const char *group = "";
	char paused[24];

	if (*args) {
		const struct command *k = find(args, name_length(args));

		if (k)
			kprintf("%s%s%s\n  %s\n", k->name, *k->usage && *k->usage != '/' ? " " : "", k->usage, k->help);
		return;
	}
	seconds_text(paused, sizeof(paused), counter() - m->opened);
	kprintf("hv monitor, build %s.  guest paused %s s (%s guest).  ^D = cont", build_id, paused,
		vtime_hides ? "hidden from" : "seen by");
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(group, commands[i].group)) {
			group = commands[i].group;
			kprintf("\n  %-8s", group);
		}
		kprintf(" %s", commands[i].name);
	}
	kprintf("\n`help CMD` for one command; unique prefixes work; Tab completes.\n"
		"addresses: 0x1234 (guest VA)  ipa:0x..  pa:0x..  $x0 $pc $sp $lr  with + and -\n");
}

static void leave_for(struct monitor *m, enum monitor_next next)
{
	m->leave = true;
	m->next = next;
}

truth monitor_can_go(const struct monitor *m)
{
	truth gone = monitor_gone(m);

	if (gone)
		complain("the guest can not go on (%s): reset or poweroff\n", m->stop_reason);
	return !gone;
}

void monitor_cont(struct monitor *m, const char *args)
{
	if (no_more(args) && monitor_can_go(m))
		leave_for(m, MONITOR_CONT);
}

static void reset(struct monitor *m, const char *args)
{
	if (no_more(args))
		leave_for(m, MONITOR_RESET);
}

static void power_off(struct monitor *m, const char *args)
{
	if (no_more(args))
		leave_for(m, MONITOR_OFF);
}

static void gdb(struct monitor *m, const char *args)
{
	if (no_more(args) && !gdb_active)
		m->next = MONITOR_GDB;
}

void monitor_execute(struct monitor *m, const char *line)
{
	const struct command *k;
	size_t n;

	line = skip_blanks(line);
	n = name_length(line);
	if (!n)
		return;
	monitor_begin(m);
	k = find(line, n);
	if (k && !(k->writes && monitor_refuses(m, k->name)))
		k->run(m, skip_blanks(line + n));
	monitor_end();
}
