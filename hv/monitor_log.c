/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's commands for the evidence log. */
#include "console.h"
#include "log.h"
#include "monitor_cmd.h"
#include "string.h"

#define TAIL_DEFAULT 10

static void log_status(struct cpu *c)
{
	const struct log_ring *l = &c->log;

	kprintf("mode %s, next seq %lu, %lu of %u records undrained, %lu lost, %lu lines written\n",
		log_modes[log_mode], l->seq, l->seq - l->drained, LOG_RING, l->lost, l->written);
	kprintf("%lu notable records were saved from being overwritten (the last %u are kept)\n", l->saved,
		LOG_NOTABLE_RING);
}

static u64 shown_from[MAX_CPUS]; /* `log clear` */

/* Further back there is nothing but what `notable` keeps. */
static u64 oldest(const struct cpu *c)
{
	u64 first = c->log.seq > LOG_RING ? c->log.seq - LOG_RING : 0;

	return first > shown_from[c->index] ? first : shown_from[c->index];
}

/* Evidence is not the operator's to drop: it goes to the wire, and is out of sight here. */
static void clear(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i])
			shown_from[i] = cpus[i]->log.seq;
	kprintf("tail and grep begin here; nothing was dropped\n");
}

/* Does the record's verdict, rule or subject contain the word? */
static bool speaks_of(const struct log_record *r, const char *word)
{
	char text[128];
	size_t n = 0;

	if (r->kind == REC_DECISION && r->row < policy_n_rows)
		n = ksnprintf(text, sizeof(text), "%s r%u ", log_verdicts[INFO_VERDICT(r->info) % V_COUNT],
			      policy_rows[r->row].rule);
	log_describe(text + n, sizeof(text) - n, r);
	return strstr(text, word) != NULL;
}

/* The records from `first` on, or those of them that speak of `word`. */
static void print(struct monitor *m, u64 first, const char *word)
{
	struct cpu *c = m->c;

	for (u64 seq = first; seq < c->log.seq; seq++) {
		const struct log_record *r = log_find(c, seq);

		if (!r || (word && !speaks_of(r, word)))
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
	/* Numbers in between may be lines that have no record: @H, @S. */
	for (; n && first > oldest(c); first--)
		if (log_find(c, first - 1))
			n--;
	print(m, first, NULL);
}

static void live(struct monitor *m, const char *args)
{
	bool on = take_exactly(&args, "on");

	if ((!on && !take_exactly(&args, "off")) || !no_more(args)) {
		complain("log live on | off\n");
		return;
	}
	log_set_live(m->c, on);
}

static void mode(struct monitor *m, const char *args)
{
	char text[32];

	if (!*args) {
		kprintf("mode %s\n", log_modes[log_mode]);
		return;
	}
	for (unsigned i = LOG_TEXT; i <= LOG_QUIET; i++)
		if (take_word(&args, log_modes[i])) {
			if (!no_more(args) || monitor_refuses(m, "log mode"))
				return;
			log_drain(m->c, 0, false); /* what was made under the old mode is written under it */
			log_mode = (enum log_mode)i;
			ksnprintf(text, sizeof(text), "set log=%s", log_modes[i]);
			log_note(m->c, text);
			log_header(m->c);
			return;
		}
	complain("no mode '%s': text notable full quiet\n", args);
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
	else if (take_word(&args, "live"))
		live(m, args);
	else if (take_word(&args, "clear") && !*args)
		clear();
	else if (take_word(&args, "dump"))
		monitor_dump(m, args);
	else
		complain("log status | tail [N] | grep WORD | mode [MODE] | live on|off | clear | dump\n");
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
