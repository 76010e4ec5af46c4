/* SPDX-License-Identifier: Apache-2.0 */
/* Monitor commands that change the guest or the policy; each leaves a record. */
#include "arch/arch.h"
#include "cpu/esr.h"
#include "dev/vgic.h"
#include "lib/build.h"
#include "lib/string.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/monitor_cmd.h"
#include "operator/rules.h"
#include "vm/inject.h"

/* --- rule ----------------------------------------------------------------------------------------- */

static const char *flags_word(u32 flags, const char *as_built)
{
	return flags & ROW_STOP ? "ASK" : flags & ROW_WOULD ? "WOULD" : as_built;
}

truth change_rule(struct cpu *c, unsigned rule, u32 set, u32 clear)
{
	u32 old = rules_flags(rule);
	char text[96];

	if (!rules_set(rule, set, clear)) {
		complain("r%u decides nothing by itself: no row of the tables is its own\n", rule);
		return false;
	}
	ksnprintf(text, sizeof(text), "rule=r%u field=verdict old=%s new=%s by=monitor hash=%08x", rule,
		  flags_word(old, "built"), flags_word(rules_flags(rule), "built"), (u32)(policy_hash >> 32));
	log_line(c, 'P', text);
	return true;
}

static void list_rules(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < policy_n_rules; i++) {
		u32 flags = rules_flags(i);

		if (!flags)
			continue;
		n++;
		kprintf("r%-4u %-6s %-24s %.40s\n", i, flags_word(flags, ""), policy_rules[i].place, policy_rules[i].text);
	}
	kprintf("%u rules changed at run time\n", n);
}

void monitor_rule(struct monitor *m, const char *args)
{
	unsigned rule;
	u32 set = 0, clear = ROW_WOULD | ROW_STOP | ROW_ONCE;

	if (!*args) {
		list_rules();
		return;
	}
	if (!take_rule(&args, &rule))
		return;
	if (take_word(&args, "would"))
		set = ROW_WOULD;
	else if (take_word(&args, "stop"))
		set = ROW_STOP;
	else if (!take_word(&args, "reset")) {
		complain("rule r%u would | stop | reset\n", rule);
		return;
	}
	if (no_more(args) && change_rule(m->c, rule, set, clear & ~set))
		kprintf("r%u %s: %s\n", rule, policy_rules[rule].place, flags_word(set, "as built"));
}

/* --- set ------------------------------------------------------------------------------------------ */

/* The trapped instruction is not finished: to move the PC now would skip the one after it. */
static truth between_instructions(const struct monitor *m)
{
	if (strcmp(m->stop_reason, "rule"))
		return true;
	complain("the instruction that trapped is not done yet: `step` first\n");
	return false;
}

static void set_escape(struct monitor *m, const char *args)
{
	if (take_exactly(&args, "none"))
		console_escape = false;
	else if (take_exactly(&args, "^]"))
		console_escape = true;
	else {
		complain("set esc ^] | none (then only BREAK opens the monitor)\n");
		return;
	}
	log_note(m->c, console_escape ? "set esc=^]" : "set esc=none");
	log_header(m->c);
}

static void set_columns(const char *args)
{
	u64 n;

	if (!take_number(&args, &n) || *args || n < COLUMNS_MIN || n > COLUMNS_MAX)
		complain("set columns %u to %u: how wide the terminal is\n", COLUMNS_MIN, COLUMNS_MAX);
	else
		monitor_columns((unsigned)n);
}

/* set prompt "x> ": quotes keep blanks. */
static void set_prompt(const char *args)
{
	size_t n = strlen(args);

	if (n >= 2 && *args == '"' && args[n - 1] == '"') {
		args++;
		n -= 2;
	}
	if (n > PROMPT_MAX) {
		complain("set prompt \"TEXT\": at most %u characters\n", PROMPT_MAX);
		return;
	}
	memcpy(monitor_prompt, args, n);
	monitor_prompt[n] = '\0';
}

static void set_machine(const char *args)
{
	truth on = take_exactly(&args, "on");

	if ((on || take_exactly(&args, "off")) && !*args)
		monitor_machine = on;
	else
		complain("set machine on | off: each command ends with `ok` or `err: ...`\n");
}

void monitor_set(struct monitor *m, const char *args)
{
	struct trap_frame *f = &m->c->frame;
	struct address value;
	const char *name = args + 1;
	char text[80];
	size_t n = 0;
	u64 *place, old;

	/* Settings of the session come first; those behind it change the guest or how it is watched. */
	if (take_exactly(&args, "columns")) {
		set_columns(args);
		return;
	}
	if (take_exactly(&args, "prompt")) {
		set_prompt(args);
		return;
	}
	if (take_exactly(&args, "machine")) {
		set_machine(args);
		return;
	}
	if (monitor_refuses(m, "set"))
		return;
	if (take_exactly(&args, "esc")) {
		set_escape(m, args);
		return;
	}
	while (*args == '$' && name[n] && name[n] != ' ' && name[n] != '=')
		n++;
	place = n ? guest_register(f, name, n) : NULL;
	if (!place) {
		complain("set $REG = VALUE, with $x0..$x30 $pc $sp $lr $fp $sp_el0 $sp_el1 $spsr\n");
		return;
	}
	args = skip_blanks(name + n);
	if (*args == '=')
		args++;
	if (!take_address(m, &args, &value) || !no_more(args))
		return;
	if (place == &f->elr_el2 && !between_instructions(m))
		return;
	/* The operator cannot raise the guest's Exception level. */
	if (place == &f->spsr_el2 && ((value.value & 0x1f) > 5 || (value.value & 0xf) == 1 || (value.value & 0xe) == 2)) {
		complain("SPSR_EL2.M must be EL0t (0), EL1t (4) or EL1h (5)\n");
		return;
	}
	old = *place;
	*place = value.value;
	/* Registers that guest_return does not restore are written in the machine as well. */
	sysreg_write(sp_el0, f->sp_el0);
	sysreg_write(sp_el1, f->sp_el1);
	ksnprintf(text, sizeof(text), "set %.*s=0x%lx old=0x%lx", (int)(n < 8 ? n : 8), name, value.value, old);
	log_note(m->c, text);
	kprintf("%.*s: 0x%lx -> 0x%lx\n", (int)n, name, old, value.value);
}

/* --- inject --------------------------------------------------------------------------------------- */

void monitor_inject(struct monitor *m, const char *args)
{
	struct trap_frame *f = &m->c->frame;
	struct address a = { SPACE_VA, f->far_el2 };
	char text[48];
	u64 irq;

	if (take_word(&args, "irq")) {
		if (!take_number(&args, &irq) || *args || irq >= VGIC_IRQS) {
			complain("inject irq N, 0 to %u\n", VGIC_IRQS - 1);
			return;
		}
		vgic_set_pending(m->c, (u32)irq);
		m->c->work |= WORK_VGIC;
		ksnprintf(text, sizeof(text), "inject irq=%lu", irq);
	} else if (take_word(&args, "serror")) {
		if (!no_more(args))
			return;
		inject_serror();
		ksnprintf(text, sizeof(text), "inject serror");
	} else if (take_word(&args, "undef")) {
		if (!no_more(args) || !between_instructions(m))
			return;
		inject_undef(f);
		ksnprintf(text, sizeof(text), "inject undef");
	} else if (take_word(&args, "abort")) {
		if ((*args && !take_address(m, &args, &a)) || !no_more(args) || !between_instructions(m))
			return;
		/* The exception of a load from `far` that an external abort answers. */
		inject(f, (u64)((f->spsr_el2 & 0xf) ? EC_DABT_CUR : EC_DABT_LOW) << 26 | ESR_IL | FSC_EXTERNAL, &a.value);
		ksnprintf(text, sizeof(text), "inject abort far=0x%lx", a.value);
	} else {
		complain("inject undef | serror | abort [ADDR] | irq N\n");
		return;
	}
	log_note(m->c, text);
	kprintf("%s; pc 0x%lx\n", text, f->elr_el2);
}
