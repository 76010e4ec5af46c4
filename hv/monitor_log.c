/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's commands for the evidence log. */
#include "console.h"
#include "log.h"
#include "monitor_cmd.h"

#define TAIL_DEFAULT 10

static void log_status(struct cpu *c)
{
	const struct log_ring *l = &c->log;

	kprintf("mode %s, next seq %lu, %lu of %u records undrained, %lu lost, %lu lines written\n",
		log_modes[log_mode], l->seq, l->seq - l->drained, LOG_RING, l->lost, l->written);
	kprintf("%lu notable records were saved from being overwritten (the last %u are kept)\n", l->saved,
		LOG_NOTABLE_RING);
}

static void tail(struct monitor *m, const char *args)
{
	struct cpu *c = m->c;
	u64 n = TAIL_DEFAULT;

	if ((*args && !take_number(&args, &n)) || !no_more(args)) {
		kprintf("log tail N: how many records\n");
		return;
	}
	if (n > c->log.seq)
		n = c->log.seq;
	if (n > LOG_RING)
		n = LOG_RING;
	for (u64 seq = c->log.seq - n; seq < c->log.seq; seq++) {
		const struct log_record *r = log_find(c, seq);

		if (!r)
			continue;
		log_print(c, r);
		if (!monitor_more(m))
			return;
	}
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
			if (!no_more(args))
				return;
			log_drain(m->c, 0, false); /* what was made under the old mode is written under it */
			log_mode = (enum log_mode)i;
			ksnprintf(text, sizeof(text), "set log=%s", log_modes[i]);
			log_note(m->c, text);
			log_header(m->c);
			return;
		}
	kprintf("no mode '%s': text notable full quiet\n", args);
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
	else if (take_word(&args, "dump"))
		monitor_dump(m, args);
	else
		kprintf("log status | tail [N] | mode [MODE] | dump\n");
}

void monitor_mark(struct monitor *m, const char *args)
{
	char text[2 * MONITOR_LINE + 16];
	size_t n = ksnprintf(text, sizeof(text), "mark \"");

	if (!*args) {
		kprintf("mark TEXT\n");
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
