/* SPDX-License-Identifier: Apache-2.0 */
/* System registers for the operator: the guest's, as they stand in the machine, and EL2's; some field by field. */
#include "arch/arch.h"
#include "lib/string.h"
#include "log/console.h"
#include "operator/monitor_cmd.h"

/* SP_EL0 and SP_EL1 are in the frame; ICC_* would be EL2's own interface, so `vgic` shows ICH_*. */
#define REGISTERS(X)                                                                                           \
	X(mmu, SCTLR_EL1) X(mmu, TCR_EL1) X(mmu, TTBR0_EL1) X(mmu, TTBR1_EL1) X(mmu, MAIR_EL1) X(mmu, AMAIR_EL1) \
	X(mmu, CONTEXTIDR_EL1) X(mmu, PAR_EL1)                                                                 \
	X(exc, VBAR_EL1) X(exc, ESR_EL1) X(exc, ELR_EL1) X(exc, SPSR_EL1) X(exc, FAR_EL1) X(exc, AFSR0_EL1)    \
	X(exc, AFSR1_EL1) X(exc, CPACR_EL1) X(exc, TPIDR_EL0) X(exc, TPIDRRO_EL0) X(exc, TPIDR_EL1)            \
	X(timer, CNTFRQ_EL0) X(timer, CNTPCT_EL0) X(timer, CNTVCT_EL0) X(timer, CNTV_CTL_EL0)                  \
	X(timer, CNTV_CVAL_EL0) X(timer, CNTP_CTL_EL0) X(timer, CNTP_CVAL_EL0) X(timer, CNTKCTL_EL1)           \
	X(debug, MDSCR_EL1) X(debug, OSLSR_EL1)                                                                \
	X(id, MIDR_EL1) X(id, MPIDR_EL1) X(id, REVIDR_EL1) X(id, CTR_EL0) X(id, DCZID_EL0) X(id, CLIDR_EL1)    \
	X(id, ID_AA64PFR0_EL1) X(id, ID_AA64PFR1_EL1) X(id, ID_AA64ISAR0_EL1) X(id, ID_AA64ISAR1_EL1)          \
	X(id, ID_AA64MMFR0_EL1) X(id, ID_AA64MMFR1_EL1) X(id, ID_AA64DFR0_EL1)                                 \
	X(vgic, ICH_HCR_EL2) X(vgic, ICH_VTR_EL2) X(vgic, ICH_VMCR_EL2) X(vgic, ICH_MISR_EL2)                  \
	X(vgic, ICH_EISR_EL2) X(vgic, ICH_ELRSR_EL2)                                                           \
	X(el2, SCTLR_EL2) X(el2, HCR_EL2) X(el2, VTCR_EL2) X(el2, VTTBR_EL2) X(el2, TCR_EL2) X(el2, TTBR0_EL2) \
	X(el2, MAIR_EL2) X(el2, VBAR_EL2) X(el2, CPTR_EL2) X(el2, MDCR_EL2) X(el2, HSTR_EL2)                   \
	X(el2, CNTHCTL_EL2) X(el2, CNTVOFF_EL2) X(el2, VPIDR_EL2) X(el2, VMPIDR_EL2) X(el2, ESR_EL2)           \
	X(el2, ELR_EL2) X(el2, SPSR_EL2) X(el2, FAR_EL2) X(el2, HPFAR_EL2) X(el2, TPIDR_EL2)

#define READER(group, name)            \
	static u64 read_##name(void)   \
	{                              \
		return sysreg_read(name); \
	}
REGISTERS(READER)

static const struct {
	const char *group, *name;
	u64 (*read)(void);
} registers[] = {
#define ROW(group, name) { #group, #name, read_##name },
	REGISTERS(ROW)
};

struct field {
	char name[6];
	u8 hi, lo;
};

static const struct field sctlr[] = {
	{ "M", 0, 0 },   { "A", 1, 1 },     { "C", 2, 2 },     { "SA", 3, 3 },    { "SA0", 4, 4 },   { "UMA", 9, 9 },
	{ "I", 12, 12 }, { "DZE", 14, 14 }, { "UCT", 15, 15 }, { "nTWI", 16, 16 }, { "nTWE", 18, 18 },
	{ "WXN", 19, 19 }, { "SPAN", 23, 23 }, { "E0E", 24, 24 }, { "EE", 25, 25 }, { "UCI", 26, 26 }, { "", 0, 0 },
};
static const struct field tcr[] = {
	{ "T0SZ", 5, 0 },   { "EPD0", 7, 7 },   { "TG0", 15, 14 }, { "SH0", 13, 12 }, { "T1SZ", 21, 16 },
	{ "A1", 22, 22 },   { "EPD1", 23, 23 }, { "TG1", 31, 30 }, { "SH1", 29, 28 }, { "IPS", 34, 32 },
	{ "AS", 36, 36 },   { "TBI0", 37, 37 }, { "TBI1", 38, 38 }, { "HA", 39, 39 }, { "HD", 40, 40 }, { "", 0, 0 },
};
static const struct field esr[] = { { "EC", 31, 26 }, { "IL", 25, 25 }, { "ISS", 24, 0 }, { "", 0, 0 } };
static const struct field vtcr[] = {
	{ "T0SZ", 5, 0 }, { "SL0", 7, 6 }, { "TG0", 15, 14 }, { "SH0", 13, 12 }, { "PS", 18, 16 }, { "", 0, 0 },
};
static const struct field timer_control[] = { { "EN", 0, 0 }, { "MASK", 1, 1 }, { "FIRED", 2, 2 }, { "", 0, 0 } };
static const struct field hcr[] = {
	{ "VM", 0, 0 },     { "SWIO", 1, 1 },   { "PTW", 2, 2 },    { "FMO", 3, 3 },    { "IMO", 4, 4 },
	{ "AMO", 5, 5 },    { "VF", 6, 6 },     { "VI", 7, 7 },     { "VSE", 8, 8 },    { "TWI", 13, 13 },
	{ "TWE", 14, 14 },  { "TID1", 16, 16 }, { "TID2", 17, 17 }, { "TID3", 18, 18 }, { "TSC", 19, 19 },
	{ "TIDCP", 20, 20 }, { "TACR", 21, 21 }, { "TSW", 22, 22 },  { "TPC", 23, 23 },  { "TPU", 24, 24 },
	{ "TTLB", 25, 25 }, { "TVM", 26, 26 },  { "TGE", 27, 27 },  { "TDZ", 28, 28 },  { "TRVM", 30, 30 },
	{ "RW", 31, 31 },   { "", 0, 0 },
};

static const struct {
	const char *name;
	const struct field *fields;
} decoded[] = {
	{ "SCTLR_EL1", sctlr }, { "SCTLR_EL2", sctlr }, { "TCR_EL1", tcr }, { "ESR_EL1", esr }, { "ESR_EL2", esr },
	{ "VTCR_EL2", vtcr }, { "CNTV_CTL_EL0", timer_control }, { "CNTP_CTL_EL0", timer_control }, { "HCR_EL2", hcr },
};

void say_spsr(u64 spsr)
{
	static const char flags[8] = "NZCVDAIF";
	char text[12];
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++)
		text[n++] = spsr & BIT(31 - i) ? flags[i] : (char)(flags[i] | 0x20);
	text[n++] = ' ';
	for (unsigned i = 0; i < 4; i++)
		text[n++] = spsr & BIT(9 - i) ? flags[4 + i] : (char)(flags[4 + i] | 0x20);
	text[n] = '\0';
	if (spsr & BIT(4))
		kprintf("A32 mode 0x%lx %s\n", spsr & 0xf, text);
	else
		kprintf("EL%lu%c %s\n", FIELD(spsr, 3, 2), spsr & 1 ? 'h' : 't', text);
}

static void say_fields(const char *name, u64 v)
{
	const struct field *f = NULL;
	size_t column = 80;

	for (unsigned i = 0; i < ARRAY_SIZE(decoded); i++)
		if (!strcmp(decoded[i].name, name))
			f = decoded[i].fields;
	for (; f && f->name[0]; f++) {
		u64 part = FIELD(v, f->hi, f->lo);
		char text[24];
		size_t n;

		/* The names of the bits that are set. */
		if (f->hi != f->lo)
			n = ksnprintf(text, sizeof(text), " %s=%lu", f->name, part);
		else
			n = part ? ksnprintf(text, sizeof(text), " %s", f->name) : 0;
		if (!n)
			continue;
		if (column + n > 78) {
			kprintf("\n   ");
			column = 3;
		}
		kprintf("%s", text);
		column += n;
	}
}

static void say_register(unsigned i)
{
	u64 v = registers[i].read();
	const char *name = registers[i].name;

	kprintf("%-16s 0x%016lx", name, v);
	if (!strncmp(name, "SPSR_", 5)) {
		kprintf("  ");
		say_spsr(v);
		return;
	}
	say_fields(name, v);
	kprintf("\n");
}

static void say_list_registers(const struct cpu *c)
{
	for (unsigned n = 0; n < c->vgic.n_lrs && n < VGIC_MAX_LRS; n++)
		kprintf("ICH_LR%u_EL2%s      0x%016lx\n", n, n < 10 ? " " : "", gich_lr_read(n));
}

/* `want` is a group, `all`, nothing (the usual groups), or a part of a register's name in either case. */
static truth selected(unsigned i, const char *want)
{
	const char *group = registers[i].group, *name = registers[i].name;
	char lower[24];
	unsigned k;

	if (!*want)
		return !strcmp(group, "mmu") || !strcmp(group, "exc") || !strcmp(group, "timer");
	for (unsigned j = 0; j < ARRAY_SIZE(registers); j++)
		if (!strcmp(registers[j].group, want))
			return !strcmp(group, want);
	for (k = 0; k < sizeof(lower) - 1 && name[k]; k++)
		lower[k] = name[k] == '_' ? '_' : (char)(name[k] | 0x20);
	lower[k] = '\0';
	return !strcmp(want, "all") || strstr(name, want) || strstr(lower, want);
}

static u64 before[ARRAY_SIZE(registers)]; /* values when the guest went on */
static const struct cpu *remembered; /* whose registers they are */

void remember_sysregs(const struct cpu *c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
		before[i] = registers[i].read();
	remembered = c;
}

truth first_stop(const struct monitor *m)
{
	bool first = remembered != m->c;

	if (first)
		complain("this is the first stop of this CPU: there is none to compare with\n");
	return first;
}

void monitor_sysregs(struct monitor *m, const char *args)
{
	bool any = false, changed = take_exactly(&args, "-d");

	if (changed && first_stop(m))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
		if (!selected(i, changed && !*args ? "all" : args))
			continue;
		any = true;
		if (changed && registers[i].read() == before[i])
			continue;
		say_register(i);
		if (changed)
			kprintf("%-16s 0x%016lx\n", "  before:", before[i]);
		if (!monitor_more(m))
			return;
	}
	if (!strcmp(args, "all") || !strcmp(args, "vgic"))
		say_list_registers(m->c);
	if (!any)
		complain("no group or register '%s': mmu exc timer debug id vgic el2 all\n", args);
}
