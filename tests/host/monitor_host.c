/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the monitor on stdin and stdout; see test_monitor.py. Arguments: the reason, then NAME=VALUE for system
 * registers, xN=VALUE, pc=, and @OFFSET=VALUE for 64-bit words of guest RAM; row=, value= and held= of the decision before
 * (silent=1: it left no record). Behind `--` the same for a second stop. The reason "stop" is that of a rule that asks
 * first, whose outcome goes to stderr. Exit: 0 resumed, 1 skipped, 2 powered off or reset, 3 the input ended. With
 * -DFUZZED (fuzz_host.py) bytes are the input, gdb's packets among it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cpu/bootargs.h"
#include "fake.h"
#include "log/evidence.h"
#include "operator/monitor.h"
#include "operator/rules.h"

static unsigned row = 1;
static u64 value, held;
static bool silent;
static struct log_record *last;

static struct cpu *boot(void)
{
	struct cpu *c = fake_cpu();

	log_header(c);
	log_event(c, EV_BOOT, 0, 0);
	return c;
}

static void decide_something(struct cpu *c)
{
	c->frame.esr_el2 = c->frame.esr_el2 ? c->frame.esr_el2 : 0x6230e419;
	c->entered = counter();
	c->rows[1].hits = 34;
	c->rows[2].hits = 9733;
	c->rows[2].cost = 58700;
	c->row = &c->rows[row];
	last = silent ? NULL : log_decision(c, c->row, value, held, 0);
	if (last)
		last->cost = 388;
}

#ifdef FUZZED
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct cpu *c;

	if (!c) {
		if (!freopen("/dev/null", "w", stdout))
			abort();
		c = boot();
		decide_something(c);
	}
	stdin = fmemopen((void *)(size ? data : (const u8 *)"\n"), size ? size : 1, "r");
	if (!setjmp(fake_stop))
		monitor_run(c, "key");
	locks_forget();
	fclose(stdin);
	return 0;
}
#else
static void set(struct cpu *c, char *word)
{
	char *eq = strchr(word, '=');
	u64 v;

	if (!eq)
		abort();
	*eq = '\0';
	v = strtoul(eq + 1, NULL, 0);
	if (word[0] == '@')
		memcpy(fake_ram + strtoul(word + 1, NULL, 0), &v, sizeof(v));
	else if (word[0] == 'x')
		c->frame.x[strtoul(word + 1, NULL, 10)] = v;
	else if (!strcmp(word, "pc"))
		c->frame.elr_el2 = v;
	else if (!strcmp(word, "esr"))
		c->frame.esr_el2 = v;
	else if (!strcmp(word, "far"))
		c->frame.far_el2 = v;
	else if (!strcmp(word, "row"))
		row = (unsigned)v;
	else if (!strcmp(word, "value"))
		value = v;
	else if (!strcmp(word, "held"))
		held = v;
	else if (!strcmp(word, "silent"))
		silent = v;
	else if (!strcmp(word, "unattended"))
		bootargs.unattended = v;
	else if (!strcmp(word, "second")) { /* another CPU, which stands still at this PC */
		struct cpu *other = fake_cpu();

		cpus[0] = c;
		cpus[1] = other;
		other->index = 1;
		other->parked = true;
		other->frame.elr_el2 = v;
	} else if (!strcmp(word, "init"))
		bootargs.init = eq + 1, bootargs.init_size = strlen(eq + 1);
	else
		fake_sysreg_write(word, v);
}

static bool stop(struct cpu *c, const char *why)
{
	const struct decision *d;

	if (strcmp(why, "stop"))
		return monitor_run(c, why);
	c->record = last;
	rules_set(policy_rows[row].rule, ROW_STOP, 0);
	d = overrule(c, &policy_rows[row]);
	fprintf(stderr, "action %u model %u value %lx\n", d->action, d->arg, d->value);
	return true;
}

int main(int argc, char **argv)
{
	struct cpu *c = boot();
	int first = 2, second;

	while (first < argc && strcmp(argv[first], "--"))
		set(c, argv[first++]);
	second = first + 1;
	decide_something(c);
	if (setjmp(fake_stop)) {
		fprintf(stderr, "end: %s\n", fake_end);
		return strcmp(fake_end, "input") ? 2 : 3;
	}
	if (!stop(c, argv[1]))
		return 1;
	if (second >= argc)
		return 0;
	for (int i = second + 1; i < argc; i++)
		set(c, argv[i]);
	return stop(c, argv[second]) ? 0 : 1;
}
#endif
