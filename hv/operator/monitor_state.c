/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's view of the guest, its registers, and EL2 itself. */
#include "arch/arch.h"
#include "board/integrity.h"
#include "cpu/esr.h"
#include "cpu/locks.h"
#include "cpu/vtime.h"
#include "lib/build.h"
#include "lib/panic.h"
#include "log/console.h"
#include "log/evidence.h"
#include "log/line.h"
#include "operator/monitor_cmd.h"

#define TRAIL       16

u64 guest_sp(const struct trap_frame *f)
{
	/* SPSR_EL2.M: only EL1h uses SP_EL1. */
	return (f->spsr_el2 & 0x1f) == 5 ? f->sp_el1 : f->sp_el0;
}

static void all_decisions(u64 *hits, u64 *cost)
{
	*hits = *cost = 0;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		for (unsigned i = 0; cpus[cpu] && cpus[cpu]->rows && i < policy_n_rows; i++) {
			*hits += cpus[cpu]->rows[i].hits;
			*cost += cpus[cpu]->rows[i].cost;
		}
}

static void status_cpu(const struct cpu *c)
{
	char subject[96];
	const struct log_record *r = c->log.seq ? log_find((struct cpu *)c, c->log.notable_end - 1) : NULL;

	kprintf("cpu%u    pc=0x%lx  ", c->index, c->frame.elr_el2);
	say_spsr(c->frame.spsr_el2);
	for (u64 seq = c->log.seq; seq-- && (!r || r->kind != REC_DECISION) && c->log.seq - seq < 64;)
		r = log_find((struct cpu *)c, seq);
	if (!r || r->kind != REC_DECISION)
		return;
	log_describe(subject, sizeof(subject), r);
	kprintf("last    r%u %s %s (seq %lu)\n", policy_rows[r->row].rule,
		log_verdicts[INFO_VERDICT(r->info) % V_COUNT], subject, r->seq);
}

void monitor_status(struct monitor *m, const char *args)
{
	const struct cpu *c = m->c;
	char wall[24], hidden[24], guest[24];
	u64 up = m->opened - log_epoch, hits, cost;

	if (!no_more(args))
		return;
	all_decisions(&hits, &cost);
	seconds_text(wall, sizeof(wall), counter() - log_epoch);
	seconds_text(guest, sizeof(guest), up - vtime_hidden());
	seconds_text(hidden, sizeof(hidden), vtime_hidden() + (vtime_hides ? counter() - m->opened : 0));
	kprintf("guest   %s#%08x  stopped: %s\n", guest_id.name ? guest_id.name : "none", guest_id.hash, m->stop_reason);
	kprintf("time    %s s guest, %s s wall, %s s hidden from CNTVCT%s\n", guest, wall, hidden,
		vtime_hides ? " (CNTPCT shows it)" : ", this stop is not");
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i] && (cpus[i]->online || cpus[i] == c))
			status_cpu(cpus[i]);
	kprintf("policy  %s#%08x  %u rules, %u hit\n", policy_name, (u32)(policy_hash >> 32), policy_n_rules, rules_hit());
	kprintf("log     mode=%s  seq=%lu  %lu undrained of %u  lost %lu  console %lu bytes\n", log_modes[log_mode],
		c->log.seq, c->log.seq - c->log.drained, LOG_RING, c->log.lost, console_guest_bytes);
	up = up ? up : 1;
	cost = cost * 10000 / up;
	kprintf("traps   %lu decisions, %lu.%02lu %% of the time in EL2\n", hits, cost / 100, cost % 100);
}

struct cpu *monitor_other(u64 n)
{
	return n < MAX_CPUS && cpus[n] && cpus[n]->online && cpus[n]->parked ? cpus[n] : NULL;
}

void monitor_cpu(struct monitor *m, const char *args)
{
	u64 n = m->c->index;

	if ((*args && !take_number(&args, &n)) || !no_more(args))
		return;
	m->to = monitor_other(n);
	if (n == m->c->index) {
		kprintf("cpu%lu\n", n);
	} else if (m->to && !gdb_active) {
		m->leave = true;
		m->next = MONITOR_CPU;
	} else {
		complain("cpu%lu does not stand still: it is off, or waits inside EL2 (gdb: thread)\n", n);
	}
}

void monitor_time(struct monitor *m, const char *args)
{
	truth change = take_word(&args, "hide"), on = change && take_exactly(&args, "on");

	if (change && !on && !take_exactly(&args, "off")) {
		complain("time hide on | off\n");
		return;
	}
	if (!no_more(args) || (change && monitor_refuses(m, "time hide")))
		return;
	if (change) {
		vtime_hides = on;
		log_note(m->c, on ? "set time.hide=on" : "set time.hide=off");
	}
	kprintf("while the guest stands still, CNTVCT %s; CNTPCT always goes on\n", vtime_hides ? "does too" : "goes on");
}

static void say_syndrome(const struct trap_frame *f)
{
	unsigned class = esr_class(f->esr_el2);
	const char *name = log_class_name(class);
	char what[96];

	describe_frame(what, sizeof(what), f);
	kprintf("esr 0x%08lx  EC=0x%x %s: %s\nfar 0x%lx  hpfar 0x%lx\n", f->esr_el2, class, name ? name : "?", what,
		f->far_el2, f->hpfar_el2);
}

static struct trap_frame last; /* values when the guest went on */

void monitor_remember(struct monitor *m)
{
	last = m->c->frame;
	remember_sysregs(m->c);
}

static void say_changed(const char *name, u64 from, u64 to)
{
	if (from != to)
		kprintf("%-6s 0x%016lx -> 0x%016lx\n", name, from, to);
}

static void changed_regs(const struct trap_frame *f)
{
	char name[8];

	for (unsigned i = 0; i < 31; i++) {
		ksnprintf(name, sizeof(name), "x%u", i);
		say_changed(name, last.x[i], f->x[i]);
	}
	say_changed("pc", last.elr_el2, f->elr_el2);
	say_changed("spsr", last.spsr_el2, f->spsr_el2);
	say_changed("sp_el0", last.sp_el0, f->sp_el0);
	say_changed("sp_el1", last.sp_el1, f->sp_el1);
}

void monitor_regs(struct monitor *m, const char *args)
{
	const struct trap_frame *f = &m->c->frame;
	truth changed = take_word(&args, "-c");

	if (!no_more(args))
		return;
	if (changed) {
		if (!first_stop(m))
			changed_regs(f);
		return;
	}
	kprintf("pc  0x%016lx  sp  0x%016lx  ", f->elr_el2, guest_sp(f));
	say_spsr(f->spsr_el2);
	for (unsigned i = 0; i < 31; i++)
		kprintf("%c%-2u 0x%016lx%s", 'x', i, f->x[i], i % 3 == 2 || i == 30 ? "\n" : "  ");
	kprintf("sp_el0 0x%lx  sp_el1 0x%lx\n", f->sp_el0, f->sp_el1);
	say_syndrome(f);
}

/* EL2's last records, a letter each, by enum section; - for an event. */
static void say_trail(struct cpu *c)
{
	static const char letters[SEC_COUNT + 1] = "smMhcef";
	u64 seq = c->log.seq > TRAIL ? c->log.seq - TRAIL : 0;

	_Static_assert(SEC_COUNT == 7, "letters[] has one for each enum section");
	kprintf("trail   ");
	for (; seq < c->log.seq; seq++) {
		const struct log_record *r = log_find(c, seq);

		if (r)
			kprintf("%c", r->kind == REC_DECISION && r->row < policy_n_rows ?
				letters[policy_far_rules[policy_rows[r->row].rule].section % SEC_COUNT] : '-');
	}
	kprintf("  newest last: sys mmio Mem hvc c(smc) exc feat -(event)\n");
}

void monitor_el2(struct monitor *m, const char *args)
{
	u64 block = (u64)m->c & ~(u64)(CPU_BLOCK_SIZE - 1), low = block + CPU_GUARD_SIZE;
	u64 top = block + CPU_STRUCT_OFFSET, size = top - low;
	const u8 *p = (const u8 *)low;

	if (!no_more(args))
		return;
	while (p < (const u8 *)top && *p == STACK_PATTERN)
		p++;
	monitor_sysregs(m, "el2");
	kprintf("stack   %lu of %lu bytes used at most\n", top - (u64)p, size);
	say_trail(m->c);
	kprintf("fault   ");
	if (el2_fault[2])
		kprintf("last: elr 0x%lx  far 0x%lx  esr 0x%lx\n", el2_fault[0], el2_fault[1], el2_fault[2]);
	else
		kprintf("none\n");
	kprintf("image   text, constants and tables %s\n", integrity_holds() ? "as at boot" : "HAVE CHANGED");
	kprintf("log     seq %lu, %lu lines written, %lu lost\n", m->c->log.seq, m->c->log.written, m->c->log.lost);
	kprintf("cpu     struct at 0x%lx, %lu list registers, hidden %lu ticks\n", (u64)m->c, (u64)m->c->vgic.n_lrs,
		vtime_hidden());
	locks_say();
}
