/* SPDX-License-Identifier: Apache-2.0 */
/* A small disassembler: a table of masks and formats, of which the first match counts. Pure. */
#include "operator/dis.h"
#include "log/console.h"
#include "log/evidence.h"

/*
 * In a format: %d %n %m %t registers [4:0] [9:5] [20:16] [4:0], 64-bit when bit 31 is set (%T: always); %b a base,
 * where 31 is SP; %j %k %l targets of 26, 19 and 14 bits; %A %P ADR and ADRP; %r the system register; %h imm16 at bit
 * 5, %H imm7, in hexadecimal; %w imm16 with a move's shift; %i imm12 at bit 10; %c condition; %y bit number; %s a load
 * or store of one register; %p of two; %x exclusive or ordered.
 */
static const struct {
	u32 mask, value;
	const char *text;
} table[] = {
	{ 0xffffffff, 0xd503201f, "nop" },          { 0xffffffff, 0xd503203f, "yield" },
	{ 0xffffffff, 0xd503205f, "wfe" },          { 0xffffffff, 0xd503207f, "wfi" },
	{ 0xffffffff, 0xd503233f, "paciasp" },      { 0xffffffff, 0xd50323bf, "autiasp" },
	{ 0xfffff01f, 0xd503201f, "hint %H" },      { 0xfffff0ff, 0xd5033fdf & 0xfffff0ff, "isb" },
	{ 0xfffff0ff, 0xd503309f, "dsb" },          { 0xfffff0ff, 0xd50330bf, "dmb" },
	{ 0xfffff0ff, 0xd503305f, "clrex" },        { 0xfffff0ff, 0xd50340df, "msr daifset" },
	{ 0xfffff0ff, 0xd50340ff, "msr daifclr" },  { 0xfffff0ff, 0xd50040bf, "msr spsel" },
	{ 0xfff00000, 0xd5300000, "mrs %T, %r" },   { 0xfff00000, 0xd5100000, "msr %r, %T" },
	{ 0xfff80000, 0xd5080000, "sys %r, %T" },   { 0xffe0001f, 0xd4000001, "svc %h" },
	{ 0xffe0001f, 0xd4000002, "hvc %h" },       { 0xffe0001f, 0xd4000003, "smc %h" },
	{ 0xffe0001f, 0xd4200000, "brk %h" },       { 0xffe0001f, 0xd4400000, "hlt %h" },
	{ 0xffffffff, 0xd69f03e0, "eret" },         { 0xffffffff, 0xd65f03c0, "ret" },
	{ 0xfffffc1f, 0xd65f0000, "ret %b" },       { 0xfffffc1f, 0xd61f0000, "br %b" },
	{ 0xfffffc1f, 0xd63f0000, "blr %b" },       { 0xfc000000, 0x14000000, "b %j" },
	{ 0xfc000000, 0x94000000, "bl %j" },        { 0xff000010, 0x54000000, "b.%c %k" },
	{ 0x7f000000, 0x34000000, "cbz %t, %k" },   { 0x7f000000, 0x35000000, "cbnz %t, %k" },
	{ 0x7f000000, 0x36000000, "tbz %t, #%y, %l" }, { 0x7f000000, 0x37000000, "tbnz %t, #%y, %l" },
	{ 0x9f000000, 0x10000000, "adr %T, %A" },   { 0x9f000000, 0x90000000, "adrp %T, %P" },
	{ 0x7f800000, 0x52800000, "movz %d, %w" },  { 0x7f800000, 0x72800000, "movk %d, %w" },
	{ 0x7f800000, 0x12800000, "movn %d, %w" },  { 0x7fe0ffe0, 0x2a0003e0, "mov %d, %m" },
	{ 0x7f80001f, 0x7100001f, "cmp %n, %i" },   { 0x7fe0fc1f, 0x6b00001f, "cmp %n, %m" },
	{ 0x7f800000, 0x11000000, "add %D, %n, %i" }, { 0x7f800000, 0x51000000, "sub %D, %n, %i" },
	{ 0x7f800000, 0x31000000, "adds %d, %n, %i" }, { 0x7f800000, 0x71000000, "subs %d, %n, %i" },
	{ 0x7fe0fc00, 0x0b000000, "add %d, %n, %m" }, { 0x7fe0fc00, 0x4b000000, "sub %d, %n, %m" },
	{ 0x7fe0fc00, 0x0a000000, "and %d, %n, %m" }, { 0x7fe0fc00, 0x2a000000, "orr %d, %n, %m" },
	{ 0x3f000000, 0x08000000, "%x" },           { 0x3b000000, 0x39000000, "%s" },
	{ 0x3b200000, 0x38000000, "%s" },           { 0x3b200c00, 0x38200800, "%s" },
	{ 0xff000000, 0x18000000, "ldr %t, %k" },   { 0xff000000, 0x58000000, "ldr %T, %k" },
	{ 0x3a000000, 0x28000000, "%p" },
	{ 0xffff0000, 0x00000000, "udf" },
};

static s64 extend(u64 v, unsigned bits)
{
	return (s64)(v << (64 - bits)) >> (64 - bits);
}

truth dis_branch(u32 insn, u64 pc, u64 *to)
{
	s64 words;

	if ((insn & 0x7c000000) == 0x14000000)
		words = extend(insn & 0x3ffffff, 26);
	else if ((insn & 0xff000010) == 0x54000000 || (insn & 0x7e000000) == 0x34000000)
		words = extend(FIELD(insn, 23, 5), 19);
	else if ((insn & 0x7e000000) == 0x36000000)
		words = extend(FIELD(insn, 18, 5), 14);
	else
		return false;
	*to = pc + (u64)words * 4;
	return true;
}

static size_t reg(char *buf, size_t size, unsigned n, bool wide, bool base)
{
	if (n == 31)
		return ksnprintf(buf, size, "%s", base ? wide ? "sp" : "wsp" : wide ? "xzr" : "wzr");
	return ksnprintf(buf, size, "%c%u", wide ? 'x' : 'w', n);
}

/* size[31:30], opc[23:22]; the addressing form is in [24], [21] and [11:10]. */
static size_t one(char *buf, size_t size, u32 insn)
{
	static const char units[4][2] = { "b", "h", "w", "" }, extends[8][5] = { [2] = "uxtw", [3] = "lsl", [6] = "sxtw", [7] = "sxtx" };
	unsigned log2 = insn >> 30, opc = (unsigned)FIELD(insn, 23, 22);
	bool wide = opc > 1 ? opc == 2 : log2 == 3;
	s64 offset = insn & BIT(24) ? (s64)FIELD(insn, 21, 10) << log2 : extend(FIELD(insn, 20, 12), 9);
	size_t n = ksnprintf(buf, size, "%s%s%s ", opc ? "ldr" : "str", opc > 1 ? "s" : "",
			     log2 == 2 && opc < 2 ? "" : units[log2]);

	if (log2 == 3 && opc > 1)
		return ksnprintf(buf, size, "prfm");
	n += reg(buf + n, size - n, insn & 31, wide, false);
	n += ksnprintf(buf + n, size - n, ", [");
	n += reg(buf + n, size - n, (unsigned)FIELD(insn, 9, 5), true, true);
	if (!(insn & BIT(24)) && insn & BIT(21)) {
		n += ksnprintf(buf + n, size - n, ", ");
		n += reg(buf + n, size - n, (unsigned)FIELD(insn, 20, 16), insn & BIT(13), false);
		return n + ksnprintf(buf + n, size - n, insn & BIT(12) ? ", %s #%u]" : FIELD(insn, 15, 13) == 3 ?
				     "]" : ", %s]", extends[FIELD(insn, 15, 13)], log2);
	}
	if (!(insn & BIT(24)) && FIELD(insn, 11, 10) == 1)
		return n + ksnprintf(buf + n, size - n, "], #%ld", offset);
	if (offset)
		n += ksnprintf(buf + n, size - n, ", #%ld", offset);
	return n + ksnprintf(buf + n, size - n, !(insn & BIT(24)) && FIELD(insn, 11, 10) == 3 ? "]!" : "]");
}

static size_t two(char *buf, size_t size, u32 insn)
{
	bool wide = insn >> 31, vector = insn & BIT(26);
	s64 offset = extend(FIELD(insn, 21, 15), 7) * (wide ? 8 : 4);
	unsigned form = (unsigned)FIELD(insn, 24, 23);
	size_t n;

	if (vector)
		return 0;
	n = ksnprintf(buf, size, insn & BIT(22) ? "ldp " : "stp ");
	n += reg(buf + n, size - n, insn & 31, wide, false);
	n += ksnprintf(buf + n, size - n, ", ");
	n += reg(buf + n, size - n, (unsigned)FIELD(insn, 14, 10), wide, false);
	n += ksnprintf(buf + n, size - n, ", [");
	n += reg(buf + n, size - n, (unsigned)FIELD(insn, 9, 5), true, true);
	return n + ksnprintf(buf + n, size - n, form == 1 ? "], #%ld" : form == 3 ? ", #%ld]!" : ", #%ld]", offset);
}

/* L[22], o2[23] (not exclusive), o0[15] (acquire, release). */
static size_t exclusive(char *buf, size_t size, u32 insn)
{
	static const char units[4][2] = { "b", "h", "", "" };
	bool load = insn & BIT(22), ordered = insn & BIT(15), pair = insn & BIT(21), wide = insn >> 30 == 3;
	const char *name = insn & BIT(23) ? (load ? "ldar" : "stlr") : load ? (ordered ? "ldaxr" : "ldxr") :
							 ordered ? "stlxr" : "stxr";
	size_t n;

	if (pair)
		return 0;
	n = ksnprintf(buf, size, "%s%s ", name, units[insn >> 30]);
	if (!load && !(insn & BIT(23))) {
		n += reg(buf + n, size - n, (unsigned)FIELD(insn, 20, 16), false, false);
		n += ksnprintf(buf + n, size - n, ", ");
	}
	n += reg(buf + n, size - n, insn & 31, wide, false);
	n += ksnprintf(buf + n, size - n, ", [");
	n += reg(buf + n, size - n, (unsigned)FIELD(insn, 9, 5), true, true);
	return n + ksnprintf(buf + n, size - n, "]");
}

/* One %-item of a format. */
static size_t item(char *buf, size_t size, char kind, u32 insn, u64 pc)
{
	static const char conditions[16][3] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
						"hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };
	bool wide = insn >> 31;
	u64 to = pc;
	s64 far = extend(FIELD(insn, 23, 5) << 2 | FIELD(insn, 30, 29), 21);

	switch (kind) {
	case 'd':
	case 't': return reg(buf, size, insn & 31, wide, false);
	case 'D': return reg(buf, size, insn & 31, wide, true);
	case 'T': return reg(buf, size, insn & 31, true, false);
	case 'n': return reg(buf, size, (unsigned)FIELD(insn, 9, 5), wide, insn & BIT(28) && !(insn & BIT(27)) && !(insn & BIT(25)));
	case 'b': return reg(buf, size, (unsigned)FIELD(insn, 9, 5), true, true);
	case 'm': return reg(buf, size, (unsigned)FIELD(insn, 20, 16), wide, false);
	case 'j':
	case 'l': dis_branch(insn, pc, &to); break;
	case 'k': to = pc + (u64)extend(FIELD(insn, 23, 5), 19) * 4; break;
	case 'A': to = pc + (u64)far; break;
	case 'P': to = (pc & ~0xfffUL) + (u64)far * 4096; break;
	case 'h': return ksnprintf(buf, size, "#0x%lx", FIELD(insn, 20, 5));
	case 'H': return ksnprintf(buf, size, "#0x%lx", FIELD(insn, 11, 5));
	case 'w': return ksnprintf(buf, size, FIELD(insn, 22, 21) ? "#0x%lx, lsl #%u" : "#0x%lx", FIELD(insn, 20, 5),
				   (unsigned)FIELD(insn, 22, 21) * 16);
	case 'i': return ksnprintf(buf, size, "#0x%lx", FIELD(insn, 21, 10) << (insn & BIT(22) ? 12 : 0));
	case 'c': return ksnprintf(buf, size, "%s", conditions[insn & 15]);
	case 'y': return ksnprintf(buf, size, "%lu", FIELD(insn, 31, 31) << 5 | FIELD(insn, 23, 19));
	case 's': return one(buf, size, insn);
	case 'p': return two(buf, size, insn);
	case 'x': return exclusive(buf, size, insn);
	case 'r':
		log_sysreg_name(buf, size, (u32)(FIELD(insn, 20, 19) << 20 | FIELD(insn, 7, 5) << 17 | FIELD(insn, 18, 16) << 14 |
						 FIELD(insn, 15, 12) << 10 | FIELD(insn, 11, 8) << 1));
		for (to = 0; buf[to]; to++)
			;
		return to;
	}
	return ksnprintf(buf, size, "0x%lx", to);
}

size_t dis(char *buf, size_t size, u32 insn, u64 pc)
{
	const char *s = NULL;
	size_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(table) && !s; i++)
		if ((insn & table[i].mask) == table[i].value)
			s = table[i].text;
	for (; s && *s; s++)
		if (*s != '%')
			n += ksnprintf(buf + n, size - n, "%c", *s);
		else
			n += item(buf + n, size - n, *++s, insn, pc);
	return n ? n : ksnprintf(buf, size, ".inst 0x%08x", insn);
}
