/* SPDX-License-Identifier: Apache-2.0 */
/* Monitor commands for the evidence log. */
#include "arch/arch.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/monitor_cmd.h"

#define TAIL_DEFAULT 10

static void log_status(struct cpu *c)
{
	const struct log_ring *l = &c->log;

	kprintf("mode %s, next seq %lu, %lu of %u records undrained, %lu lost, %lu lines written\n",
		log_modes[log_mode], l->seq, l->seq - l->drained, LOG_RING, l->lost, l->written);
	kprintf("%lu notable records were saved from being overwritten (the last %u are kept)\n", l->saved,
		LOG_NOTABLE_RING);
}

static u64 shown_from[MAX_CPUS]; /* first record after `log clear` */

/* Records older than the ring are those that `notable` keeps. */
static u64 oldest(const struct cpu *c)
{
	u64 first = c->log.seq > LOG_RING ? c->log.seq - LOG_RING : 0;

	return first > shown_from[c->index] ? first : shown_from[c->index];
}

/* Records are written to the line first, then hidden from the operator: evidence is never dropped. */
static void clear(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i])
			shown_from[i] = cpus[i]->log.seq;
	kprintf("tail and grep begin here; nothing was dropped\n");
}

static truth contains(const char *text, const char *word)
{
	for (; *text; text++) {
		size_t n = 0;

		while (word[n] && text[n] && (text[n] | 0x20) == (word[n] | 0x20))
			n++;
		if (!word[n])
			return true;
	}
	return false;
}

/* One term of a filter: `since 10s`, `pc LOW HIGH`, or text in the record's line, in either case. */
static truth holds(struct monitor *m, const struct log_record *r, const char *term)
{
	u64 low, high;
	const char *s = term;

	if (take_exactly(&s, "since") && take_number(&s, &low))
		return r->time + low * sysreg_read(cntfrq_el0) >= m->opened;
	s = term;
	if (take_exactly(&s, "pc") && take_number(&s, &low) && (s = skip_blanks(s), take_number(&s, &high)))
		return r->pc >= low && r->pc <= high;
	return contains(log_format(m->c, r), term);
}

/* All terms of a filter: `deny & msr & since 10s`. */
static truth speaks_of(struct monitor *m, const struct log_record *r, const char *filter)
{
	char term[MONITOR_LINE];
	bool all = true;

	while (all && *filter) {
		size_t n = 0;

		while (*filter && *filter != '&')
			term[n++] = *filter++;
		while (n && term[n - 1] == ' ')
			n--;
		term[n] = '\0';
		all = holds(m, r, term);
		filter = skip_blanks(filter + (*filter == '&'));
	}
	return all;
}

/* Prints records from `first` on that pass `filter`. */
static void print(struct monitor *m, u64 first, const char *filter)
{
	struct cpu *c = m->c;

	for (u64 seq = first; seq < c->log.seq; seq++) {
		const struct log_record *r = log_find(c, seq);

		if (filter && !(seq & 0xff) && monitor_key(m))
			return;
		if (!r || (filter && !speaks_of(m, r, filter)))
			continue;
		log_print(c, r);
		if (!monitor_more(m))
			return;
	}
}

static void tail(struct monitor *m, const char *args)
{
	struct cpu *c = m->c;
	u64 n = TAIL_DEFAULT, first = c->log.seq;

	if ((*args && !take_number(&args, &n)) || !no_more(args)) {
		complain("log tail N: how many records\n");
		return;
	}
	/* Missing numbers may be lines without a record: @H, @S. */
	for (; n && first > oldest(c); first--)
		if (log_find(c, first - 1))
			n--;
	print(m, first, NULL);
}

static void live(struct monitor *m, const char *args)
{
	truth on = take_exactly(&args, "on");

	if ((!on && !take_exactly(&args, "off")) || !no_more(args)) {
		complain("log live on | off\n");
		return;
	}
	log_set_live(m->c, on);
}

/* Writes records under the old mode first. `sections`: see log_text_sections. */
static void set_mode(struct cpu *c, enum log_mode mode, u32 sections, const char *note)
{
	log_dump(c);
	log_set_mode(mode, log_live);
	log_text_sections = sections;
	log_note(c, note);
	log_header(c);
}

static void mode(struct monitor *m, const char *args)
{
	char text[32];

	if (!*args) {
		kprintf("mode %s\n", log_modes[log_mode]);
		return;
	}
	for (unsigned i = 0; i < LOG_MODE_COUNT; i++)
		if (take_word(&args, log_modes[i])) {
			if (!no_more(args) || monitor_refuses(m, "log mode"))
				return;
			ksnprintf(text, sizeof(text), "set log=%s", log_modes[i]);
			set_mode(m->c, (enum log_mode)i, 0, text);
			return;
		}
	complain("no mode '%s': text notable full quiet\n", args);
}

/*
 * One section in the manner of mode text or mode notable. Both are mode notable with a set of sections,
 * log_text_sections.
 */
static void level(struct monitor *m, const char *args)
{
	unsigned n = 0;
	u32 bit;
	char text[48];
	bool text_mode;

	while (n < SEC_COUNT && !take_word(&args, policy_sections[n]))
		n++;
	text_mode = take_word(&args, "text");
	if (n == SEC_COUNT || (!text_mode && !take_word(&args, "notable"))) {
		complain("log level sysregs|mmio|hvc|smc|exceptions|memory text|notable\n");
		return;
	}
	if (!no_more(args) || monitor_refuses(m, "log level"))
		return;
	ksnprintf(text, sizeof(text), "set log.%s=%s", policy_sections[n], text_mode ? "text" : "notable");
	bit = 1u << n;
	set_mode(m->c, LOG_NOTABLE, ((log_mode == LOG_TEXT ? ~0u : log_text_sections) & ~bit) | (text_mode ? bit : 0), text);
}

void monitor_dump(struct monitor *m, const char *args)
{
	if (!no_more(args))
		return;
	log_dump(m->c);
	log_totals(m->c);
	kprintf("%lu lines written so far, %lu lost\n", m->c->log.written, m->c->log.lost);
}

void monitor_log(struct monitor *m, const char *args)
{
	if (!*args || take_word(&args, "status"))
		log_status(m->c);
	else if (take_word(&args, "tail"))
		tail(m, args);
	else if (take_word(&args, "mode"))
		mode(m, args);
	else if (take_word(&args, "grep") && *args)
		print(m, oldest(m->c), args);
	else if (take_word(&args, "level"))
		level(m, args);
	else if (take_word(&args, "live"))
		live(m, args);
	else if (take_word(&args, "clear") && !*args)
		clear();
	else if (take_word(&args, "dump"))
		monitor_dump(m, args);
	else
		complain("log status | tail [N] | grep FILTER | mode [MODE] | level CLASS MODE | live on|off | clear | dump\n");
}

void monitor_mark(struct monitor *m, const char *args)
{
	char text[2 * MONITOR_LINE + 16];
	size_t n = ksnprintf(text, sizeof(text), "mark \"");

	if (!*args) {
		complain("mark TEXT\n");
		return;
	}
	if (*args == '"')
		args++;
	for (; *args && !(*args == '"' && !args[1]) && n < sizeof(text) - 4; args++) {
		if (*args == '"' || *args == '\\')
			text[n++] = '\\';
		text[n++] = *args;
	}
	text[n++] = '"';
	text[n] = '\0';
	log_note(m->c, text);
}
