/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and leaves the monitor, and finds the command on a line. */
#include "operator/monitor.h"
#include "arch/arch.h"
#include "board/gic.h"
#include "cpu/bootargs.h"
#include "cpu/locks.h"
#include "cpu/smp.h"
#include "cpu/vtime.h"
#include "lib/build.h"
#include "lib/print.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"
#include "log/power.h"
#include "operator/debug.h"
#include "operator/gdb.h"
#include "operator/monitor_cmd.h"
#include "operator/overrule.h"

static monitor_command help, go_on, reset, power_off, gdb;

bool monitor_machine;
static bool failed; /* the running command */

void complain(const char *format, ...)
{
	va_list ap;

	failed = true;
	if (monitor_machine)
		kprintf("err: ");
	va_start(ap, format);
	kvprintf(format, ap);
	va_end(ap);
}

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
	{ "run", "cont", "", "the guest goes on (^D)", go_on, false },
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

const char *monitor_name(unsigned n)
{
	return n < ARRAY_SIZE(commands) ? commands[n].name : NULL;
}

/* For completion: the usage of the one command that the line begins with; "" if there is none. */
const char *monitor_usage(const char *line, size_t n)
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

/* The command that the first `n` bytes of `word` name, in full or by a unique prefix; else NULL, after a message. */
static const struct command *find(const char *word, size_t n)
{
	const struct command *found = NULL;
	unsigned matches = 0;

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

static bool gone(const struct monitor *m)
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

static void go_on(struct monitor *m, const char *args)
{
	if (!no_more(args))
		return;
	if (gone(m))
		complain("the guest can not go on (%s): reset or poweroff\n", m->stop_reason);
	else
		m->leave = true;
}

/* The last records: the decoder takes them for the end of the monitor's text. */
static void leave(struct monitor *m)
{
	struct cpu *c = m->c;
	u64 paused = counter() - m->opened;

	vtime_hide(paused);
	log_event(c, EV_MONITOR_LEAVE, paused, 0);
	if (gdb_active)
		return; /* records wait for the end of gdb's session */
	if (m->brief)
		log_drain(c, 0, false);
	else
		log_header(c); /* drains first, so that a capture that is cut here can be decoded */
	console_input(c); /* input behind `cont`: the UART interrupts only for the first byte of many */
}

static void gdb(struct monitor *m, const char *args)
{
	if (no_more(args) && !gdb_active)
		gdb_begin(m);
}

static void reset(struct monitor *m, const char *args)
{
	if (!no_more(args))
		return;
	leave(m);
	guest_reset();
}

static void power_off(struct monitor *m, const char *args)
{
	if (!no_more(args))
		return;
	leave(m);
	machine_off("poweroff");
}

bool monitor_refuses(struct monitor *m, const char *action)
{
	char text[32];

	if (!build_locked)
		return false;
	ksnprintf(text, sizeof(text), "refused %s", action);
	log_note(m->c, text);
	complain("%s: this build is locked (LOCKED=1)\n", action);
	return true;
}

void monitor_execute(struct monitor *m, const char *line)
{
	const struct command *k;
	size_t n;

	line = skip_blanks(line);
	n = name_length(line);
	if (!n)
		return;
	failed = false;
	m->lines = 0;
	k = find(line, n);
	if (k && !(k->writes && monitor_refuses(m, k->name)))
		k->run(m, skip_blanks(line + n));
	if (monitor_machine && !failed)
		kprintf("ok\n");
}

/* False: unattended. Else the guest stands still, this CPU has the line, and the log says so. */
static bool enter(struct monitor *m)
{
	struct cpu *c = m->c;

	if (bootargs.unattended && (!bootargs.init_size || gone(m))) {
		log_event(c, EV_PAUSE_SKIPPED, 0, 0);
		return false;
	}
	smp_stop_others(c);
	/* While the monitor is open this CPU keeps the line and the log. */
	if (!locks_void) {
		spin_lock(&log_lock);
		spin_lock(&line_lock);
		if (!smp_stopped) /* another CPU's monitor was open meanwhile, and has resumed the others */
			smp_stop_others(c);
	}
	gic_route_uart(c->index);
	m->spent = m->opened - c->entered;
	if (c->record) {
		c->stopped_seq = c->record->seq;
		c->record->cost += (u32)m->spent;
	}
	log_event(c, EV_MONITOR_ENTER, (u64)m->stop_reason, 0);
	if (!gdb_active)
		log_drain(c, 0, false);
	debug_stop(c);
	return true;
}

static void resume(struct monitor *m)
{
	if (!gdb_active && !m->brief)
		kprintf("-- guest resumes --\n");
	leave(m);
	monitor_remember(m); /* after leave(), which hides the monitor's time */
	m->c->stopped_seq = ~0UL;
	/* The decision that opened the monitor is not charged with its time. */
	m->c->entered = counter() - m->spent;
	if (m->c->record)
		m->c->record->cost -= (u32)m->spent;
	debug_resume(m->c);
	smp_resume_others();
	lock_restart(&line_lock);
	spin_unlock(&line_lock);
	lock_restart(&log_lock);
	spin_unlock(&log_lock);
}

/* The next command of hv.init; false: there are no more. */
static bool script_line(char line[MONITOR_LINE])
{
	size_t n = 0;
	char ch = 0;

	if (!bootargs.init_size)
		return false;
	for (; bootargs.init_size && ch != ';'; bootargs.init_size--) {
		ch = *bootargs.init++;
		if (ch != ';' && n < MONITOR_LINE - 1)
			line[n++] = ch;
	}
	line[n] = '\0';
	if (monitor_echoes)
		kprintf("%s%s\n", monitor_prompt, skip_blanks(line));
	return true;
}

static void prompt(struct monitor *m)
{
	char line[MONITOR_LINE];

	for (m->leave = false; !m->leave;) {
		if (gdb_active && gdb_session(m))
			return;
		if (script_line(line))
			monitor_execute(m, line);
		else if (bootargs.unattended)
			m->leave = true;
		else if (monitor_line(m, line))
			monitor_execute(m, line);
		else
			go_on(m, "");
	}
}

bool monitor_run(struct cpu *c, const char *reason)
{
	struct monitor m = { .c = c, .stop_reason = reason ? reason : "key", .opened = counter() };

	if (!enter(&m))
		return false;
	if (!strcmp(m.stop_reason, "gdb") && !monitor_refuses(&m, "gdb"))
		gdb_begin(&m);
	if (!gdb_active)
		say_place(&m);
	prompt(&m);
	resume(&m);
	return true;
}

void monitor_init(struct cpu *c)
{
	c->entered = counter();
	if (bootargs.init_size)
		monitor_run(c, "init");
}

void monitor_pause(struct cpu *c)
{
	u64 x0 = c->frame.x[0];

	monitor_run(c, "pause");
	if (c->frame.x[0] == x0)
		c->frame.x[0] = bootargs.unattended; /* 1: skipped */
}

int monitor_ask(struct cpu *c, const struct decision *d)
{
	struct monitor m = { .c = c, .stop_reason = "rule", .opened = counter() };
	char text[96];
	int key;

	if (gdb_active || !enter(&m))
		return 'd';
	describe_frame(text, sizeof(text), &c->frame);
	for (key = 0; key != 'a' && key != 'A' && key != 'd' && key != 'e';) {
		kprintf("r%u %s is about to %s %s\n"
			"[a]llow once [d]o it [e]mulate 0 [A]lways allow [w]hy [m]onitor? ", d->rule,
			policy_rules[d->rule].place, log_verdicts[d->verdict % V_COUNT], text);
		key = console_getc(-1);
		kprintf("%c\n", key >= ' ' && key < 0x7f ? key : '?');
		if (key == 'w')
			monitor_why(&m, "");
		else if (key == 'm')
			prompt(&m);
	}
	if (key == 'A')
		change_rule(c, d->rule, ROW_WOULD, ROW_STOP);
	if (key != 'd') { /* its record, if there is one, is on the line by now, with the policy's verdict */
		ksnprintf(text, sizeof(text), "overruled rule=r%u pc=0x%lx by=monitor answer=%s", d->rule,
			  c->frame.elr_el2, key == 'e' ? "emulate" : "allow");
		log_note(c, text);
	}
	resume(&m);
	return key;
}

static void show(struct cpu *c, const char *why, const char *text)
{
	log_event(c, EV_MONITOR_ENTER, (u64)why, 0);
	log_drain(c, 0, false);
	kprintf("%s", text);
	log_event(c, EV_MONITOR_LEAVE, 0, 0);
	log_drain(c, 0, false);
}

void monitor_note(struct cpu *c, u32 todo)
{
	char text[128];
	const struct trap_frame *f = &c->frame;
	bool held;

	if (todo & WORK_OFF)
		machine_off("poweroff");
	held = console_hold(); /* the texts stay together */
	if (todo & WORK_STATUS) {
		ksnprintf(text, sizeof(text), "status pc=0x%lx el=%lu seq=%lu lost=%lu rules=%u/%u", f->elr_el2,
			  FIELD(f->spsr_el2, 3, 2), c->log.seq, c->log.lost, rules_hit(), policy_n_rules);
		log_note(c, text);
	}
	if (todo & WORK_LIVE)
		log_set_live(c, !log_live);
	if (todo & WORK_WATCH) {
		log_event(c, EV_MONITOR_ENTER, (u64)"watch", 0);
		log_drain(c, 0, false);
		say_traps(c);
		log_event(c, EV_MONITOR_LEAVE, 0, 0);
		log_drain(c, 0, false);
	}
	if (todo & WORK_QUIT)
		show(c, "quit", "power off? y\n");
	if (todo & WORK_KEYS)
		show(c, "keys", "^] m  monitor       ^] s  status         ^] d  drain the log\n"
		     "^] l  live log      ^] b  BREAK          ^] g  gdb\n"
		     "^] q  power off     ^] ^]  ^] to the guest\n"
		     "^] ?  these keys    any other key: both go to the guest\n");
	console_release(held);
}
