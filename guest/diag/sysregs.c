/* SPDX-License-Identifier: Apache-2.0 */
/* Every action of the section `sysregs`: reads and writes, one register a sentence. */
#include "check.h"
#include "console.h"
#include "cpu.h"
#include "insn.h"
#include "registers.h"
#include "sysregs.h"
#include "trap.h"

/* Accesses of these checks to one limited entry within a second, at most. */
#define PLENTY 30

/* The accessors: a refused read leaves POISON. */
#define READER(reg)                                                             \
	static u64 read_##reg(void)                                             \
	{                                                                       \
		u64 v = POISON;                                                 \
		asm volatile("mrs %0, " #reg : "+r"(v) : : "memory");           \
		return v;                                                       \
	}
#define WRITER(reg, ...)                                                        \
	static void write_##reg(u64 v)                                          \
	{                                                                       \
		asm volatile("msr " #reg ", %0\n\tisb" : : "r"(v) : "memory");  \
	}
#define READER_WRITER(reg, bits) READER(reg) WRITER(reg)
#define OPERATOR(op, insn)                                                      \
	static void do_##op(u64 v)                                              \
	{                                                                       \
		(void)v;                                                        \
		asm volatile(insn : : : "memory");                              \
	}
#define OPERATOR_X(op, insn)                                                    \
	static void do_##op(u64 v)                                              \
	{                                                                       \
		asm volatile(insn ", %0" : : "r"(v) : "memory");                \
	}
GUEST_REGISTERS(READER, READER_WRITER, WRITER, READER)
GUEST_OPERATIONS(OPERATOR, OPERATOR_X, OPERATOR_X)

#define ROW_RO(reg) { .name = #reg, .read = read_##reg, .r = EXPECT_##reg##_R },
#define ROW_RW(reg, invert)                                                     \
	{ .name = #reg, .read = read_##reg, .r = EXPECT_##reg##_R,              \
	  .write = write_##reg, .w = EXPECT_##reg##_W, .bits = (invert) },
#define ROW_WO(reg, v) { .name = #reg, .write = write_##reg, .w = EXPECT_##reg##_W, .bits = (v) },
#define ROW_GAP(reg) { .name = #reg, .read = read_##reg, .r = EXPECT_##reg##_R, .gap = true },
#define ROW_OP(op, insn) { .name = #op, .write = do_##op, .w = EXPECT_##op##_W },
#define ROW_OPX(op, insn) { .name = #op, .write = do_##op, .w = EXPECT_##op##_W, .bits = GUEST_BUFFER },

const struct sysreg_row sysregs_rows[] = {
	GUEST_REGISTERS(ROW_RO, ROW_RW, ROW_WO, ROW_GAP)
	GUEST_OPERATIONS(ROW_OP, ROW_OPX, ROW_OP)
};
const u32 sysregs_n_rows = ARRAY_SIZE(sysregs_rows);

/* A refused or wrong access, for a FAIL. */
static void fail(const struct sysreg_row *row, const char *what, const char *expected, u64 got)
{
	if (trap_caught.sync || trap_caught.serror)
		check_fail(row->name, "%s: expected %s, got ESR 0x%lx at 0x%lx", what, expected, trap_caught.esr,
			   trap_caught.elr);
	else
		check_fail(row->name, "%s: expected %s, got 0x%lx", what, expected, got);
}

bool sysregs_read_is_right(const struct sysreg_row *row, bool done, u64 got)
{
	switch (row->r.action) {
	case ACT_DENY:
		return !done && got == POISON && check_refused(row->r.refusal, INSN_MRS);
	case ACT_VALUE:
		return done && got == row->r.value;
	case ACT_MASK:
		return done && (got & ~row->r.mask) == row->r.value;
	default:
		return done;
	}
}

/* Tries the read; `got` is its value. */
static bool try_read(const struct sysreg_row *row, u64 *got)
{
	bool done = TRY(*got = row->read());

	if (sysregs_read_is_right(row, done, *got))
		return true;
	if (row->gap)
		check_note(row->name, "read: the policy's \"%s\" cannot be enforced on this machine (a known gap)",
			   check_word(&row->r));
	else
		fail(row, "read", check_word(&row->r), *got);
	return false;
}

/* Bits of the real register that a read shows. */
static u64 visible(const struct sysreg_row *row)
{
	if (!row->read)
		return 0;
	return row->r.action == ACT_ALLOW ? ~0UL : row->r.action == ACT_MASK ? row->r.mask : 0;
}

/* The register's value after a write of `written` to `before`. */
static u64 outcome(const struct expect *w, u64 before, u64 written)
{
	switch (w->action) {
	case ACT_DENY:
	case ACT_IGNORE:
		return before;
	case ACT_MASK:
		return (before & ~w->mask) | (written & w->mask);
	default:
		return written;
	}
}

/* Tries the write, reads the effect, and restores the value. */
static bool try_write(const struct sysreg_row *row, u64 before)
{
	bool operation = !row->read;
	u64 bits = operation ? 0 : row->bits & visible(row);
	u64 written = operation ? row->bits : before ^ bits, after = 0, expected;
	bool done = TRY(row->write(written));
	bool refused = row->w.action == ACT_DENY && !done &&
		       (check_refused(row->w.refusal, INSN_MSR) || check_refused(row->w.refusal, INSN_SYS));

	if (!refused && (!done || row->w.action == ACT_DENY)) {
		fail(row, "write", check_word(&row->w), written);
		return false;
	}
	if (!bits)
		return true;
	expected = outcome(&row->w, before, written);
	done = TRY(after = row->read());
	if (done)
		TRY(row->write(before));
	if (done && (after & bits) == (expected & bits))
		return true;
	check_fail(row->name, "write %s: expected 0x%lx, got 0x%lx", check_word(&row->w), expected & bits,
		   after & bits);
	return false;
}

/* A register that cannot be read back whole is written only if the policy says that the write has no effect. */
static bool may_write(const struct sysreg_row *row)
{
	if (!expect_returns(&row->w))
		return false;
	if (row->w.action == ACT_DENY || row->w.action == ACT_IGNORE || !row->read)
		return true;
	return row->r.action == ACT_ALLOW;
}

static void run_row(const struct sysreg_row *row)
{
	struct console_list said = { .used = 0 };
	u64 before = 0;
	bool right = true;

	if (row->read && expect_affords(&row->r, PLENTY) && expect_returns(&row->r)) {
		right = try_read(row, &before);
		if (row->r.action == ACT_DENY)
			console_list_add(&said, "read %s", check_word(&row->r));
		else
			console_list_add(&said, "read %s 0x%lx", check_word(&row->r), before);
	} else if (row->read) {
		console_list_add(&said, "read %s, not tried", check_word(&row->r));
	}
	if (row->write && expect_affords(&row->w, PLENTY) && right && may_write(row)) {
		right = try_write(row, before);
		console_list_add(&said, "write %s", check_word(&row->w));
	} else if (row->write) {
		console_list_add(&said, "write %s, not tried", check_word(&row->w));
	}
	if (right)
		check_pass(row->name, "%s", said.text);
}

CHECKS(010, sysregs)
{
	u64 v = POISON;

	for (u32 i = 0; i < sysregs_n_rows; i++)
		run_row(&sysregs_rows[i]);

	/* Under every policy: op1 = 4 is not for EL1. */
	TRY(v = cpu_sysreg(hcr_el2));
	check_true("HCR_EL2", "read is UNDEFINED at EL1", check_refused(REFUSE_UNDEF, INSN_MRS), v);
	TRY(cpu_set_sysreg(hcr_el2, 0));
	check_true("HCR_EL2", "write is UNDEFINED at EL1", check_refused(REFUSE_UNDEF, INSN_MSR), 0);
	TRY(cpu_set_sysreg(vttbr_el2, 0));
	check_true("VTTBR_EL2", "write is UNDEFINED at EL1", check_refused(REFUSE_UNDEF, INSN_MSR), 0);
}
