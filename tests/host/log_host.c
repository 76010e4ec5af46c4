/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a script of log calls, one a line, and writes the UART's bytes to stdout; see test_log.py. The script's lines:
 *      d ROW ESR PC VALUE ADDR AUX SPSR    a decision        r VALUE COST   the caller's later additions to it
 *      D COUNT ROW ...                     the same decision again and again, PC rising by 4
 *      e EVENT VALUE ADDR | x ESR ELR FAR  an event, an exception report
 *      w BUDGET NOTABLE | b (dump) | h | s | p (moved) | z | n TEXT | m MODE | c CPU
 *      g HEXBYTES | t N | f SEQ | ? (counters on stderr)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake.h"
#include "log/console.h"
#include "log/evidence.h"

static struct log_record *decide_line(struct cpu *c, const char *s)
{
	unsigned long row, esr, pc, value, addr, aux, spsr;

	if (sscanf(s, "%li %li %li %li %li %li %li", (long *)&row, (long *)&esr, (long *)&pc, (long *)&value,
		   (long *)&addr, (long *)&aux, (long *)&spsr) != 7)
		abort();
	c->frame.esr_el2 = esr;
	c->frame.elr_el2 = pc;
	c->frame.spsr_el2 = spsr;
	c->entered = counter();
	c->rows[row].hits++;
	return log_decision(c, &c->rows[row], value, addr, aux);
}

static void step(struct cpu *c, char *line)
{
	static struct log_record *last;
	unsigned long a = 0, b = 0, d = 0;
	char *rest = line + 1;

	line[strcspn(line, "\n")] = '\0';
	sscanf(rest, "%li %li %li", (long *)&a, (long *)&b, (long *)&d);
	switch (line[0]) {
	case 'd':
		last = decide_line(c, rest);
		break;
	case 'D':
		strtoul(rest, &rest, 0);
		last = decide_line(c, rest);
		for (; a > 1; a--) {
			c->frame.elr_el2 += 4;
			c->rows[last->row].hits++;
			last = log_decision(c, &c->rows[last->row], last->value, last->addr, last->aux);
		}
		break;
	case 'r':
		last->value = a;
		last->cost = (u32)b;
		c->rows[last->row].cost += b;
		break;
	case 'e':
		log_event(c, (enum log_event)a, b, d);
		break;
	case 'x':
		log_exception(c, a, b, d);
		break;
	case 'w':
		log_drain(c, (u32)a, b);
		break;
	case 'b':
		log_dump(c);
		break;
	case 'p':
		fake_now += 62500000;
		log_totals_moved(c);
		break;
	case 'h':
		log_header(c);
		break;
	case 's':
		log_totals(c);
		break;
	case 'z':
		log_finish(c, "poweroff");
		break;
	case 'n':
		log_note(c, rest + 1);
		break;
	case 'm':
		log_set_mode((enum log_mode)a, log_live);
		log_text_sections = (u32)b; /* of the fake policy, every rule is of section 0 */
		break;
	case 'g':
		for (rest++; rest[0] && rest[1]; rest += 2) {
			char hex[3] = { rest[0], rest[1], 0 };

			console_guest((u8)strtoul(hex, NULL, 16));
		}
		break;
	case 'c':
		c->index = (u8)a;
		break;
	case 't':
		log_tail(c, (unsigned)a);
		break;
	case 'f':
		fprintf(stderr, "%d\n", log_find(c, a) ? log_find(c, a)->seq == a : -1);
		break;
	case '?':
		fprintf(stderr, "seq=%lu drained=%lu notable=%d lost=%lu written=%lu saved=%lu\n", c->log.seq,
			c->log.drained, log_notable_waiting(&c->log), c->log.lost, c->log.written, c->log.saved);
		break;
	default:
		abort();
	}
}

int main(void)
{
	static struct cpu early; /* without rings yet: prints nothing */
	struct cpu *c = fake_cpu();
	char line[512];

	log_header(&early);
	log_line(&early, 'P', "early");
	log_totals(&early);
	log_totals_moved(&early);
	log_dump(&early);
	log_tail(&early, 16);
	log_finish(&early, "panic");
	while (fgets(line, sizeof(line), stdin))
		step(c, line);
	return 0;
}
