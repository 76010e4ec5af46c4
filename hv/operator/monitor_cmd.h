/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the monitor's parts: commands, their arguments, paging. */
#ifndef HV_MONITOR_CMD_H
#define HV_MONITOR_CMD_H

#include "cpu/cpu.h"

#define MONITOR_LINE 120

enum monitor_next { MONITOR_CONT, MONITOR_RESET, MONITOR_OFF, MONITOR_GDB, MONITOR_CPU };

struct monitor {
	struct cpu *c;       /* whose monitor it is */
	struct cpu *opener;  /* the CPU that stopped the others; its log says when */
	struct cpu *to;      /* MONITOR_CPU: the next one */
	const struct decision *asks; /* decision that waits for the operator, or NULL */
	char answer;         /* ... 'a' 'A' 'd' 'e' */
	const char *stop_reason;
	u64 opened;       /* CNTPCT when the guest stopped */
	u64 spent;        /* ticks that the trap had taken until then */
	unsigned lines;   /* lines since the command began, counted by monitor_more() */
	bool interactive; /* a person types: no input was waiting at the prompt */
	bool leave;       /* the prompt is left, and `next` happens */
	enum monitor_next next;
	bool brief;       /* the guest goes on for a step, whose report takes two lines */
};

/* `args` is the text after the command's name: without leading blanks, or "/8b ..." */
typedef void monitor_command(struct monitor *m, const char *args);

/* monitor_commands.c: runs the command on the line. */
void monitor_execute(struct monitor *m, const char *line);
monitor_command monitor_cont, monitor_cpu;
/* The CPU with this number, if its monitor can open: it is on, and stands still. */
struct cpu *monitor_other(u64 n);
/* True after a panic or the guest's end: it cannot go on. */
truth monitor_gone(const struct monitor *m);
/* False, after a message, if it is. */
truth monitor_can_go(const struct monitor *m);
/*
 * The i-th candidate for completion, in `word` or a constant; NULL: there are no more. A command, or behind the first
 * word of `line`, of `first` bytes (0: none), a lower-case word of that command's usage.
 */
#define WORD_MAX 24
typedef const char *monitor_candidates(const char *line, size_t first, unsigned i, char word[WORD_MAX]);
monitor_candidates monitor_candidate;

/* monitor_answer.c */
/*
 * Prints why a command did not work, as its last line. With `set machine on` the line begins with "err: "; a command
 * that works then ends with "ok".
 */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern bool monitor_machine;
/* True in a locked build, after a message and a record that `action` is refused. */
truth monitor_refuses(struct monitor *m, const char *action);
/* Before a command, and after it. */
void monitor_begin(struct monitor *m);
void monitor_end(void);

/* monitor_line.c: reads one line, edited. False: ^D on an empty line. */
truth monitor_line(struct monitor *m, char line[MONITOR_LINE], monitor_candidates *candidate);
/* A person, not a script, has pressed a key: a long command ends. */
truth monitor_key(const struct monitor *m);
/* Counts a printed line. False: the operator has seen enough. */
truth monitor_more(struct monitor *m);
monitor_command monitor_history;
/* Sets the width of the operator's terminal. */
#define COLUMNS_MIN 20
#define COLUMNS_MAX 250
void monitor_columns(unsigned n);
/* Echo of typed characters, on or off; the prompt, at most PROMPT_MAX characters. */
#define PROMPT_MAX 15
extern bool monitor_echoes;
extern char monitor_prompt[PROMPT_MAX + 1];
monitor_command monitor_echo;

/* monitor_args.c */
enum space { SPACE_VA, SPACE_IPA, SPACE_PA };
struct address {
	enum space space;
	u64 value;
};
extern const char *const space_names[]; /* "", "ipa:", "pa:" */

const char *skip_blanks(const char *s);
/* Steps over the next word of *args if it is `word` or a prefix of it (at least one character). */
truth take_word(const char **args, const char *word);
/* A decimal or 0x number with k, M or G; steps over it. False: prints nothing, *args is unchanged. */
truth take_number(const char **args, u64 *value);
/* [ipa:|pa:] term { +|- term }, a term being a number or $x0 $pc $sp $lr ...; false: the reason has been printed. */
truth take_address(struct monitor *m, const char **args, struct address *out);
/* True if nothing is left; else prints the rest. */
truth no_more(const char *args);
/* "=" or "==" and so on: steps over the next word if it is exactly `word`. */
truth take_exactly(const char **args, const char *word);
/* Writes guest memory, and makes it fit for execution; returns how many bytes could be written. */
size_t write_memory(const struct address *to, const void *from, size_t size);
/* The place in the frame of the register named by the first `n` bytes of `s`, or NULL ("xzr", "esr", ...). */
u64 *guest_register(struct trap_frame *f, const char *s, size_t n);
/* Reads memory for the operator; returns how many bytes could be read. Prints nothing. */
size_t read_memory(const struct address *from, void *to, size_t size);
/* "r12" or "12", a rule that exists; else prints that it does not. */
truth take_rule(const char **args, unsigned *rule);
/* Prints why the byte at `a` cannot be read. */
void say_unreadable(const struct address *a);

/* monitor_say.c */
/* The rule that keeps something of guest RAM from the guest. */
static inline unsigned guard_rule(const struct memory *m)
{
	return policy_rows[m->row[m->may & MAY_WRITE ? 1 : 0]].rule;
}
extern const char *const policy_sections[SEC_COUNT]; /* "sysregs", ... */
/* The frame's syndrome in the log's words. */
size_t describe_frame(char *buf, size_t size, const struct trap_frame *f);
/* Of CNTPCT; never 0. */
u64 ticks_a_second(void);
/* "12.345" */
size_t seconds_text(char *buf, size_t size, u64 ticks);
/* "1.2us", "-" for nothing; "      9733  80.8" */
void say_time(u64 ticks, int width);
void say_share(u64 part, u64 whole);
/* Adds one row's hits and ticks on all CPUs. */
void row_sum(unsigned row, u64 *hits, u64 *cost);
/* Hits and ticks of one rule on all CPUs. */
void rule_sum(unsigned rule, u64 *hits, u64 *cost);
unsigned rules_hit(void);

/* monitor_state.c */
monitor_command monitor_status, monitor_regs, monitor_el2, monitor_time;
/* The guest goes on: saves the registers that `regs -c` and `sysregs -d` compare with. */
void monitor_remember(struct monitor *m);
void remember_sysregs(const struct cpu *c);
/* True, after a message, if the last stop was none of this CPU. */
truth first_stop(const struct monitor *m);
/* SP as the guest's code sees it. */
u64 guest_sp(const struct trap_frame *f);

/* monitor_sysregs.c */
monitor_command monitor_sysregs;
void say_spsr(u64 spsr);

/* monitor_mem.c, monitor_xlat.c, monitor_map.c */
monitor_command monitor_x, monitor_find, monitor_bt, monitor_w, monitor_xlat, monitor_map;

/* monitor_traps.c */
monitor_command monitor_traps;
/* Prints the table of `traps`, as of this CPU's last trap. */
void say_traps(const struct cpu *c);

/* monitor_policy.c */
monitor_command monitor_policy, monitor_why;
/* The decision that `why` without a number explains: the one that stopped the guest, else the newest refusal. */
const struct log_record *monitor_subject(struct monitor *m);

/* monitor_change.c */
monitor_command monitor_rule, monitor_set, monitor_inject;
/* Sets and clears flags of the rule's rows, with its @P record. */
truth change_rule(struct cpu *c, unsigned rule, u32 set, u32 clear);

/* monitor_debug.c */
monitor_command monitor_bp, monitor_wp, monitor_step, monitor_until, monitor_dis;
/* Prints the instruction at a VA, or that it cannot be read. */
void say_insn_there(struct monitor *m, u64 pc);
/* Prints the instruction at which the guest stopped, after a step, breakpoint, watchpoint or until. */
void say_place(struct monitor *m);

/* monitor_log.c */
monitor_command monitor_log, monitor_mark, monitor_dump;

#endif
