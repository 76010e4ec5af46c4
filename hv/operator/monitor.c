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

#define EARLY_MS 50 /* without a byte: what was sent before has come */

/* The last records: the decoder takes them for the end of the monitor's text. */
static void leave(struct monitor *m)
{
	struct cpu *c = m->opener;
	u64 paused = counter() - m->opened;

	vtime_hide(paused);
	log_event(c, EV_MONITOR_LEAVE, paused, 0);
	if (gdb_active)
		return; /* records wait for the end of gdb's session */
	if (m->brief)
		log_drain(c, 0, false);
	else
		log_header(c); /* drains first, so that a capture that is cut here can be decoded */
	console_input(m->c); /* input behind `cont`: the UART interrupts only for the first byte of many */
}

/* False: unattended. Else the guest stands still, this CPU has the line, and the log says so. */
static truth enter(struct monitor *m)
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

/* This CPU's trap goes on, and is not charged with the monitor's time. */
static void go_on(struct monitor *m)
{
	struct cpu *c = m->c;

	c->stopped_seq = ~0UL;
	c->entered = counter() - m->spent;
	if (c->record)
		c->record->cost -= (u32)m->spent;
	debug_resume(c);
}

static void resume(struct monitor *m)
{
	if (!gdb_active && !m->brief)
		kprintf("-- guest resumes --\n");
	leave(m);
	monitor_remember(m); /* after leave(), which hides the monitor's time */
	go_on(m);
	smp_resume_others();
	lock_restart(&line_lock);
	spin_unlock(&line_lock);
	lock_restart(&log_lock);
	spin_unlock(&log_lock);
}

/* The monitor as it moves from one CPU to another, both of which stand still. */
static struct monitor moving;
static struct cpu *volatile turn;

static void hand_over(const struct monitor *m)
{
	struct cpu *to = m->to;

	moving = *m;
	moving.c = to;
	moving.spent = 0;
	moving.asks = NULL;
	moving.next = MONITOR_CONT;
	log_lock.holder = line_lock.holder = (u64)to; /* as lock_take() there would */
	gic_route_uart(to->index);
	turn = to;
	dsb_ish();
	gic_send_sgi(to->index, SGI_STOP);
}

/* The next command of hv.init; false: there are no more. */
static truth script_line(char line[MONITOR_LINE])
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

static void ask(struct monitor *m)
{
	char text[96];

	describe_frame(text, sizeof(text), &m->c->frame);
	kprintf("r%u %s is about to %s %s\n"
		"[a]llow once  [d]o it  [e]mulate 0  [A]lways allow  and Enter; or a command, such as why\n", m->asks->rule,
		policy_rules[m->asks->rule].place, log_verdicts[m->asks->verdict % V_COUNT], text);
}

/* The answer that the line is to ask(), or 0. */
static char answer(const struct monitor *m, const char *line)
{
	char ch = *line;

	return m->asks && ch && !line[1] && (ch == 'a' || ch == 'A' || ch == 'd' || ch == 'e') ? ch : 0;
}

/* Commands until one of them lets the guest go on, or goes to another CPU. */
static void prompt(struct monitor *m)
{
	char line[MONITOR_LINE];

	for (m->leave = false; !m->leave;) {
		bool typed = true;

		if (m->next == MONITOR_GDB)
			gdb_begin(m);
		m->next = MONITOR_CONT;
		if (gdb_active && gdb_session(m))
			break;
		if (m->asks)
			ask(m);
		if (!script_line(line)) {
			if (bootargs.unattended)
				break;
			typed = monitor_line(m, line, monitor_candidate);
		}
		if (typed && answer(m, line)) {
			m->answer = answer(m, line);
			break;
		}
		if (typed)
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

/* By now the decision's record, if there is one, is on the line with the policy's verdict. */
static void answered(struct monitor *m)
{
	char text[96];

	if (m->answer == 'A')
		change_rule(m->c, m->asks->rule, ROW_WOULD, ROW_STOP);
	ksnprintf(text, sizeof(text), "overruled rule=r%u pc=0x%lx by=monitor answer=%s", m->asks->rule,
		  m->c->frame.elr_el2, m->answer == 'e' ? "emulate" : "allow");
	log_note(m->c, text);
}

/* The prompt of the CPU that opened the monitor, and its wait while another CPU has it. */
static void stand(struct monitor *m)
{
	prompt(m);
	if (m->answer && m->answer != 'd')
		answered(m);
	if (m->next == MONITOR_CPU) {
		hand_over(m);
		smp_park(m->c);
		go_on(m);
	} else {
		resume(m);
	}
}

void monitor_parked(struct cpu *c)
{
	struct monitor m;

	if (turn != c)
		return;
	turn = NULL;
	m = moving;
	debug_stop(c);
	prompt(&m);
	if (m.next == MONITOR_CPU)
		hand_over(&m);
	else
		resume(&m);
}

bool monitor_run(struct cpu *c, const char *reason)
{
	struct monitor m = { .c = c, .opener = c, .stop_reason = reason ? reason : "key", .opened = counter() };

	if (!enter(&m))
		return false;
	if (!strcmp(m.stop_reason, "gdb") && !monitor_refuses(&m, "gdb"))
		gdb_begin(&m);
	if (!gdb_active)
		say_place(&m);
	stand(&m);
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
	struct monitor m = { .c = c, .opener = c, .stop_reason = "rule", .opened = counter(), .asks = d, .answer = 'd' };

	if (gdb_active || !enter(&m))
		return 'd';
	while (!monitor_machine && console_getc(EARLY_MS) >= 0) /* typed for the guest */
		;
	stand(&m);
	return m.answer;
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
