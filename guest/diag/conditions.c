/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions on values: each pair of what a register holds and what is written over it, as the reference says of that
 * pair (probes.txt has one for each). With every step the policy decides the value that the register holds next.
 */
#include "check.h"
#include "console.h"
#include "cpu.h"
#include "trap.h"

#define VALUES 3 /* 0, and two more */

struct subject {
	const char *name;
	u64 (*read)(void);
	void (*write)(u64 value);
	struct expect r;
	u64 values[VALUES];
	struct expect w[VALUES][VALUES]; /* by the value held and the value written */
};

#define READER_WRITER(reg)                                                                         \
	static u64 read_##reg(void) { return cpu_sysreg(reg); }                                    \
	static void write_##reg(u64 value) { cpu_set_sysreg(reg, value); }
READER_WRITER(contextidr_el1)
READER_WRITER(mair_el1)
READER_WRITER(dbgbcr1_el1)

#define SENSE 0x09030404 /* GPIOIS of the PL061 */
static u64 read_sense(void) { return cpu_read(SENSE, 2); }
static void write_sense(u64 value) { cpu_write(SENSE, 2, value); }

#define OVER(tag, held) { EXPECT_##tag##_##held##_0, EXPECT_##tag##_##held##_1, EXPECT_##tag##_##held##_2 }
#define SUBJECT(tag, text, how, one, two)                                                          \
	{ .name = text, .read = read_##how, .write = write_##how, .r = EXPECT_##tag##_R, .values = { 0, one, two }, \
	  .w = { OVER(tag, 0), OVER(tag, 1), OVER(tag, 2) } },
static const struct subject subjects[] = {
	SUBJECT(COND_CONTEXTIDR, "CONTEXTIDR_EL1", contextidr_el1, 0x1234, 0x56781234)
	SUBJECT(COND_MAIR, "MAIR_EL1", mair_el1, 0x04, 0x80UL << 56)
	SUBJECT(COND_BREAK, "DBGBCR1_EL1", dbgbcr1_el1, 0x1e0, 0x60)
	SUBJECT(COND_SENSE, "gpio+0x404", sense, 0x05, 0x105)
};

/* The number of what the register holds; VALUES: something else. */
static unsigned held(const struct subject *s)
{
	u64 value = POISON;
	unsigned n = 0;

	TRY(value = s->read());
	while (n < VALUES && s->values[n] != value)
		n++;
	return n;
}

/* True if the step came out as it must. */
static bool step(const struct subject *s, unsigned over, unsigned with)
{
	const struct expect *w = &s->w[over][with];
	bool done = TRY(s->write(s->values[with])), device = s->read == read_sense;
	u64 mask = w->action == ACT_ALLOW ? ~0UL : w->action == ACT_MASK ? w->mask : 0, expected, got = POISON;
	bool as_said = w->action != ACT_DENY ? done :
		       !done && (device ? check_refused(w->refusal, INSN_ANY) : check_refused(w->refusal, INSN_MSR));

	expected = (s->values[over] & ~mask) | (s->values[with] & mask);
	if (device)
		expected &= 0xff; /* the lines that the PL061 has */
	TRY(got = s->read());
	if (as_said && got == expected)
		return true;
	check_fail(s->name, "0x%lx over 0x%lx, %s: expected 0x%lx, got 0x%lx ESR 0x%lx", s->values[with], s->values[over],
		   check_word(w), expected, got, trap_caught.esr);
	return false;
}

static bool returns(const struct subject *s)
{
	for (unsigned n = 0; n < VALUES * VALUES; n++)
		if (!expect_returns(&s->w[n / VALUES][n % VALUES]) || !expect_affords(&s->w[n / VALUES][n % VALUES], 100) ||
		    s->w[n / VALUES][n % VALUES].action == ACT_EMULATE)
			return false;
	return s->r.action == ACT_ALLOW && expect_affords(&s->r, 100);
}

static void run_subject(const struct subject *s)
{
	/* Each over each, where the policy lets it come to that. */
	static const u8 order[] = { 1, 1, 2, 1, 0, 0, 2, 2, 0, 1, 2, 0 };
	struct console_list said = { .used = 0 };
	unsigned now = held(s);

	if (!returns(s) || now) {
		check_note(s->name, "not tried: it is not the guest's to read and write, or not zero");
		return;
	}
	for (unsigned n = 0; n < ARRAY_SIZE(order) && now < VALUES; n++) {
		if (n < VALUES)
			console_list_add(&said, "0x%lx over 0x%lx %s", s->values[order[n]], s->values[now],
					 check_word(&s->w[now][order[n]]));
		if (!step(s, now, order[n]))
			return;
		now = held(s);
	}
	check_pass(s->name, "%s", said.text);
}

CHECKS(015, conditions)
{
	for (u32 i = 0; i < ARRAY_SIZE(subjects); i++)
		run_subject(&subjects[i]);
}
