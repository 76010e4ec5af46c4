/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe: measures the encodings that this machine has and what each trap control catches. It is EL2 itself, with no
 * hypervisor below it.
 *
 * Every MRS, MSR and SYS encoding is executed at EL1 with no control in its trapping state, then with all of them;
 * those that ran or trapped are executed again with each control alone. Only differences from the first pass are
 * printed. The controls come from lists made at build time (probe_plan.h of policygen/commands/probe.py); the probe
 * judges nothing.
 */
#include "platform.h"
#include "lib/types.h"

#define CONTROL_REGISTER(number, name, base)
#define CONTROL(reg, bits, trapping, in_all) { .number = reg, .when = trapping, .all = in_all, .mask = bits },
static const struct control {
	u8 number, when, all;
	u64 mask;
} controls[] = {
#include "probe_plan.h"
};
#undef CONTROL_REGISTER
#undef CONTROL

#define CONTROL(reg, bits, trapping, in_all)
#define CONTROL_REGISTER(number, name, base) base,
static const u64 bases[] = {
#include "probe_plan.h"
};
#undef CONTROL_REGISTER

#define KEYS       (3u << 14)             /* op0 = 1, 2, 3 */
#define FIRST_KEY  (1u << 14)
#define CODE       ((u32 *)0x50000000)    /* two instructions an access, written once: no instruction cache has them before */
#define SCRATCH    0x58000000UL           /* memory for maintenance by address */
#define UART       ((volatile u32 *)UART0_PA)
#define INSN_HVC   0xd4000002u
#define EC_SYSREG  0x18u
#define EC_HVC     0x16u

struct outcome {
	char letter;                      /* o: ran; u: UNDEFINED at EL1; x: another exception at EL1; t: a trap that names
					     the access (EC 0x18); e: any other exception at EL2 */
	u8 ec;                            /* ESR_ELx, of x and e */
};

volatile u64 probe_x0;                    /* start.S writes both */
volatile u32 probe_missing;
u64 attempt(const void *code, u64 x0);
extern const char el1_vectors[];

static u64 hpmn;                          /* MDCR_EL2.HPMN: the counters given to EL1 */
static u64 held[KEYS];                    /* the value that each register reads as */
static struct outcome first[2 * KEYS];
static u8 worth[2 * KEYS];                /* access ran or trapped in one of the first two passes */
static u64 lines, accesses;

static void put(char c)
{
	while (UART[6] & BIT(5))
		;
	UART[0] = (u32)c;
}

static void put_text(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_hex(u64 v)
{
	unsigned shift = 60;

	put(' ');
	while (shift && !(v >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		put("0123456789abcdef"[v >> shift & 15]);
		if (!shift)
			return;
	}
}

static void end_line(void)
{
	put('\n');
	lines++;
}

/*
 * Whether a virtual timer fires with CNTVOFF_EL2 below 0, where the sum with its deadline has a carry (hv/cpu/vtime.c).
 * The physical timer's deadline is later: once that has passed, the virtual timer has fired, or never will. Both must
 * still be ahead when they are set.
 */
static bool carries(void)
{
	u64 soon = 1000, ahead = BIT(42), now, virt, phys;

	asm volatile("msr cntvoff_el2, %0" : : "r"(-ahead));
	do {
		soon *= 2;
		asm volatile("isb\n\tmrs %0, cntpct_el0" : "=r"(now));
		asm volatile("msr cntv_cval_el0, %0\n\tmsr cntv_ctl_el0, %1" : : "r"(now + ahead + soon), "r"(3UL));
		asm volatile("msr cnthp_cval_el2, %0\n\tmsr cnthp_ctl_el2, %1" : : "r"(now + 2 * soon), "r"(3UL));
		asm volatile("isb\n\tmrs %0, cntv_ctl_el0\n\tmrs %1, cnthp_ctl_el2" : "=r"(virt), "=r"(phys));
	} while ((virt | phys) & 4);
	while (!(phys & 4))
		asm volatile("mrs %0, cnthp_ctl_el2" : "=r"(phys));
	asm volatile("mrs %0, cntv_ctl_el0" : "=r"(virt));
	asm volatile("msr cntv_ctl_el0, xzr\n\tmsr cnthp_ctl_el2, xzr\n\tmsr cntvoff_el2, xzr\n\tisb");
	return virt & 4;
}

/* Writes a control register and reads it back. */
static u64 set(unsigned number, u64 value)
{
	switch (number) {
#define CONTROL_REGISTER(n, name, base)                                  \
	case n:                                                          \
		asm volatile("msr " #name ", %0" : : "r"(value));        \
		asm volatile("isb\n\tmrs %0, " #name : "=r"(value));     \
		break;
#include "probe_plan.h"
	}
	return value;
}

static u64 base_of(unsigned number)
{
	return bases[number] | (number == MDCR ? hpmn : 0);
}

static void reset_controls(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++)
		set(i, base_of(i));
}

/* EL1's state for each attempt: MMU off, no access gated by EL1 itself. */
static void reset_el1(void)
{
	asm volatile("msr sctlr_el1, %0" : : "r"(0x30d00800UL));
	asm volatile("msr vbar_el1, %0" : : "r"(el1_vectors));
	asm volatile("msr cpacr_el1, %0\n\tisb" : : "r"(3UL << 24 | 3UL << 20 | 3UL << 16));
}

static u32 instruction(u32 key, bool read)
{
	return 0xd5000000u | (read ? 1u << 21 : 0) | (key >> 14 & 3) << 19 | (key >> 11 & 7) << 16 |
	       (key >> 7 & 15) << 12 | (key >> 3 & 15) << 8 | (key & 7) << 5;
}

static u32 *code_of(u32 key, bool read)
{
	return CODE + 2 * (2 * (key - FIRST_KEY) + !read);
}

static void assemble(void)
{
	for (u32 key = FIRST_KEY; key < FIRST_KEY + KEYS; key++) {
		for (int read = 0; read < 2; read++) {
			code_of(key, read)[0] = instruction(key, read);
			code_of(key, read)[1] = INSN_HVC;
		}
	}
	asm volatile("ic iallu\n\tdsb sy\n\tisb" : : : "memory");
}

/*
 * A register is written with its own value. Maintenance by VA and AT get an address of the probe's; set/way and TLBI,
 * zero.
 */
static u64 operand(u32 key)
{
	u32 crn = key >> 7 & 15, crm = key >> 3 & 15, op2 = key & 7;
	bool set_way = (crm == 6 || crm == 10 || crm == 14) && op2 == 2;

	if (key >> 14 != 1)
		return held[key - FIRST_KEY];
	return crn == 7 && crm != 3 && !set_way ? SCRATCH : 0;
}

static struct outcome try(u32 key, bool read)
{
	u64 esr, inner;
	u32 insn = instruction(key, read);
	u32 iss = (insn >> 19 & 3) << 20 | (insn >> 5 & 7) << 17 | (insn >> 16 & 7) << 14 | (insn >> 12 & 15) << 10 |
		  (insn >> 8 & 15) << 1 | read;

	reset_el1();
	esr = attempt(code_of(key, read), read ? 0 : operand(key));
	accesses++;
	if (esr >> 26 == EC_HVC && !(esr & 0xffff)) {
		if (read)
			held[key - FIRST_KEY] = probe_x0;
		return (struct outcome){ 'o', 0 };
	}
	if (esr >> 26 == EC_HVC) {
		asm volatile("mrs %0, esr_el1" : "=r"(inner));
		return inner == BIT(25) ? (struct outcome){ 'u', 0 } : (struct outcome){ 'x', (u8)(inner >> 26) };
	}
	if (esr >> 26 == EC_SYSREG && (esr & 0x1ffffff) == iss)
		return (struct outcome){ 't', 0 };
	return (struct outcome){ 'e', (u8)(esr >> 26) };
}

/* Reads, then writes, so that each write has a value. `all`: every encoding; else those that ran or trapped. */
static void pass(const char *name, unsigned number, bool all, bool is_first)
{
	for (int read = 1; read >= 0; read--) {
		for (u32 i = 0; i < KEYS; i++) {
			u32 at = 2 * i + (u32)read;
			struct outcome now;

			if (!all && !worth[at])
				continue;
			now = try(FIRST_KEY + i, read);
			if (is_first)
				first[at] = now;
			worth[at] |= now.letter != 'u';
			if (is_first ? now.letter == 'u' : now.letter == first[at].letter && now.ec == first[at].ec)
				continue;
			put_text(name);
			put_hex(number);
			put(' ');
			put(read ? 'r' : 'w');
			put_hex(FIRST_KEY + i);
			put(' ');
			put(now.letter);
			put_hex(now.ec);
			end_line();
		}
	}
}

static void alone(unsigned index)
{
	const struct control *c = &controls[index];
	u64 value = base_of(c->number) & ~c->mask, now;

	probe_missing = 0;
	value |= c->when ? c->mask : 0;
	now = set(c->number, value);
	if (probe_missing || (now & c->mask) != (value & c->mask)) {
		put_text(probe_missing ? "pb nothere" : "pb stuck");
		put_hex(index);
		end_line();
	} else {
		pass("pb alone", index, false, false);
	}
	set(c->number, base_of(c->number));
}

void main(void);
void main(void)
{
	u64 value;

	asm volatile("mrs %0, mdcr_el2" : "=r"(value));
	hpmn = value & 31;
	asm volatile("mrs %0, midr_el1" : "=r"(value));
	put_text("pb start");
	put_hex(value);
	end_line();
	put_text("pb carries");
	put_hex(carries());
	end_line();
	assemble();
	reset_controls();
	pass("pb none", 0, true, true);
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
		value = base_of(i);
		for (unsigned j = 0; j < ARRAY_SIZE(controls); j++) {
			if (controls[j].number == i && controls[j].all)
				value = (value & ~controls[j].mask) | (controls[j].when ? controls[j].mask : 0);
		}
		set(i, value);
	}
	pass("pb all", 0, true, false);
	reset_controls();
	for (unsigned i = 0; i < ARRAY_SIZE(controls); i++)
		alone(i);
	put_text("pb end");
	put_hex(lines);
	put_hex(accesses);
	put('\n');
	asm volatile("mov x0, %0\n\tsmc #0" : : "r"(0x84000008UL) : "x0", "x1", "x2", "x3", "memory"); /* SYSTEM_OFF */
	for (;;)
		asm volatile("wfi");
}
