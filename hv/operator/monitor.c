/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and leaves the monitor. */
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

/* False: unattended. Else the guest stands still, this CPU has the line, and the log says so. */
static bool enter(struct monitor *m)
{
	struct cpu *c = m->c;

	if (bootargs.unattended && (!bootargs.init_size || monitor_gone(m))) {
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
		if (m->next == MONITOR_GDB)
			gdb_begin(m);
		m->next = MONITOR_CONT;
		if (gdb_active && gdb_session(m))
			break;
		if (script_line(line))
			monitor_execute(m, line);
		else if (bootargs.unattended)
			m->leave = true;
		else if (monitor_line(m, line, monitor_candidate))
			monitor_execute(m, line);
		else
			monitor_cont(m, "");
	}
	if (m->next == MONITOR_RESET || m->next == MONITOR_OFF) {
		leave(m);
		if (m->next == MONITOR_RESET)
			guest_reset();
		machine_off("poweroff");
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
			policy_far_rules[d->rule].place, log_verdicts[d->verdict % V_COUNT], text);
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
