/* SPDX-License-Identifier: Apache-2.0 */
/* Describes a record in the words of the policy language. */
#include "cpu/cpu.h"
#include "cpu/esr.h"
#include "log/console.h"
#include "log/evidence.h"

const char *const log_verdicts[V_COUNT] = { VERDICT_WORDS(AS_WORD) };

const char *const log_modes[LOG_MODE_COUNT] = { LOG_MODES(AS_WORD) };

const char *log_class_name(unsigned class)
{
	return class < EXC_COUNT ? policy_class_names[class] : NULL;
}

void log_sysreg_name(char *buf, size_t size, u32 iss)
{
	const char *name = policy_sysreg_name(sysreg_key(iss));
	size_t i;

	if (!name) {
		ksnprintf(buf, size, "S%lu_%lu_C%lu_C%lu_%lu", FIELD(iss, 21, 20), FIELD(iss, 16, 14),
			  FIELD(iss, 13, 10), FIELD(iss, 4, 1), FIELD(iss, 19, 17));
		return;
	}
	for (i = 0; i < size - 1 && name[i]; i++)
		buf[i] = name[i] == ' ' ? '_' : name[i]; /* TLBI VMALLE1 is one word */
	buf[i] = '\0';
}

truth log_unread(const struct log_record *r)
{
	unsigned class = esr_class(r->esr), verdict = INFO_VERDICT(r->info);

	if (class == EC_SYSREG ? FIELD(r->esr, 21, 20) == 1 || !iss_is_read(r->esr) :
				 class != EC_DABT_LOW || (r->esr & (DABT_ISV | DABT_WNR)) != DABT_ISV)
		return false;
	return verdict == V_DENY || verdict == V_KILL || (class == EC_SYSREG && verdict == V_INJECT); /* replay.c */
}

static size_t add_value(char *buf, size_t size, size_t n, const struct log_record *r)
{
	return log_unread(r) ? n : n + ksnprintf(buf + n, size - n, "=0x%lx", r->value);
}

static size_t describe_sysreg(char *buf, size_t size, const struct log_record *r)
{
	char name[32];
	const char *verb = FIELD(r->esr, 21, 20) == 1 ? "sys" : iss_is_read(r->esr) ? "msr.r" : "msr.w";

	size_t n;

	log_sysreg_name(name, sizeof(name), r->esr);
	n = add_value(buf, size, ksnprintf(buf, size, "%s %s", verb, name), r);
	/* The value that the register held, where a condition asks; 0 is left out. */
	return r->addr ? n + ksnprintf(buf + n, size - n, " held=0x%lx", r->addr) : n;
}

static size_t describe_mmio(char *buf, size_t size, const struct log_record *r)
{
	const struct window_info *w = policy_window(r->addr);
	char op = r->esr & DABT_WNR ? 'w' : 'r';
	unsigned bytes = 1u << dabt_log2_size(r->esr);

	size_t n = ksnprintf(buf, size, "mmio.%c %s%s0x%lx/%u", op, w ? w->name : "", w ? "+" : "",
			     w ? r->addr - w->base : r->addr, bytes);

	return add_value(buf, size, n, r);
}

/* `held`: the value that a store replaces; in a run its field holds the time of the last one. */
static size_t describe_ram(char *buf, size_t size, const struct log_record *r)
{
	static const char *const stores[] = { "mem.w 0x%lx/%u=0x%lx", "mem.w 0x%lx/%u=0x%lx held=0x%lx" };

	if (esr_class(r->esr) != EC_DABT_LOW || !(r->esr & DABT_ISV))
		return ksnprintf(buf, size, "mem.%c 0x%lx", esr_class(r->esr) == EC_DABT_LOW ? 'w' : 'x', r->addr);
	return ksnprintf(buf, size, stores[r->aux && r->n == 1], r->addr, 1u << dabt_log2_size(r->esr), r->value, r->aux);
}

static size_t describe_call(char *buf, size_t size, const struct log_record *r, const char *kind)
{
	static const char *const forms[] = {
		[TELLS_X1_X2] = "%s 0x%lx x1=0x%lx x2=0x%lx",
		[TELLS_X1_X3] = "%s 0x%lx x1=0x%lx x3=0x%lx",
		[TELLS_X2_X3] = "%s 0x%lx x2=0x%lx x3=0x%lx",
	};

	return ksnprintf(buf, size, forms[policy_rows[r->row].tells], kind, r->value, r->addr, r->aux);
}

static size_t describe_exception(char *buf, size_t size, const struct log_record *r, unsigned class)
{
	const char *name = log_class_name(class);
	size_t n = name ? ksnprintf(buf, size, "exc %s", name) : ksnprintf(buf, size, "exc 0x%x", class);

	if (class == EC_IABT_LOW || class >= EXC_EC_COUNT)
		n += ksnprintf(buf + n, size - n, " ipa=0x%lx", r->addr);
	/* In a run, FAR's field holds the time of the last one. */
	if (class >= EXC_EC_COUNT && r->n == 1)
		n += ksnprintf(buf + n, size - n, " far=0x%lx", r->aux);
	if (class == EXC_DABT_NO_SYNDROME && r->value) /* the instruction, where it could be read */
		n += ksnprintf(buf + n, size - n, " insn=0x%lx", r->value);
	return n;
}

size_t log_describe(char *buf, size_t size, const struct log_record *r)
{
	unsigned class = esr_class(r->esr);

	if (POLICY_MEMORY && policy_rows[r->row].tells == TELLS_RAM)
		return describe_ram(buf, size, r);
	switch (class) {
	case EC_SYSREG:
		return describe_sysreg(buf, size, r);
	case 0x12:
	case EC_HVC64:
		return describe_call(buf, size, r, "hvc");
	case 0x13:
	case EC_SMC64:
		return describe_call(buf, size, r, "smc");
	case EC_DABT_LOW:
		if (r->esr & DABT_S1PTW)
			return describe_exception(buf, size, r, EXC_DABT_WALK);
		if (!(r->esr & DABT_ISV))
			return describe_exception(buf, size, r, EXC_DABT_NO_SYNDROME);
		return describe_mmio(buf, size, r);
	default:
		return describe_exception(buf, size, r, class);
	}
}
