/* SPDX-License-Identifier: Apache-2.0 */
/* Every action of the section `mmio`: reads and writes of each width, one address and direction a sentence. */
#include "check.h"
#include "console.h"
#include "cpu.h"
#include "trap.h"
#include "windows.h"

/* Accesses of all these checks to one entry of the policy, at most, within a second. */
#define PLENTY 500

struct place {
	const char *name;
	u64 ipa, bits;
	struct expect r[4], w[4]; /* by log2 of the width */
	bool real;
};

#define PLACE(tag, at, text, invert, is_real)                                                              \
	{ .name = text, .ipa = (at), .bits = (invert), .real = (is_real),                                  \
	  .r = { EXPECT_##tag##_R1, EXPECT_##tag##_R2, EXPECT_##tag##_R4, EXPECT_##tag##_R8 },             \
	  .w = { EXPECT_##tag##_W1, EXPECT_##tag##_W2, EXPECT_##tag##_W4, EXPECT_##tag##_W8 } },
static const struct place places[] = { GUEST_PLACES(PLACE) };

struct identity {
	const char *name;
	u64 ipa, mask, want;
	unsigned log2;
	struct expect e;
};
#define IDENTITY(tag, at, width, bits, value, text)                                                        \
	{ .name = text, .ipa = (at), .log2 = (width), .mask = (bits), .want = (value), .e = EXPECT_##tag },
static const struct identity identities[] = { GUEST_IDS(IDENTITY) };

static u64 width_mask(unsigned log2)
{
	return log2 == 3 ? ~0UL : BIT(8U << log2) - 1;
}

/* Whether TRY() of an access at `ipa` was refused as `e` says; an abort also names the address and the direction. */
static bool refused_at(const struct expect *e, u64 ipa, bool write)
{
	if (!check_refused(e->refusal, INSN_ANY))
		return false;
	return e->refusal != REFUSE_SEA ||
	       (trap_caught.far == ipa && FIELD(trap_caught.esr, 6, 6) == (u64)write);
}

/* Whether the value and exceptions of TRY(read) are the policy's answer. */
static bool read_is_right(const struct expect *e, u64 ipa, unsigned log2, bool real, bool done, u64 got)
{
	static const struct expect abort = { .action = ACT_DENY, .refusal = REFUSE_SEA };

	switch (e->action) {
	case ACT_DENY:
		/* A virtual SError comes after the access has been made: the register's value is not checked. */
		return !done && refused_at(e, ipa, false) && (e->refusal == REFUSE_SERROR || got == POISON);
	case ACT_VALUE:
		return done && got == (e->value & width_mask(log2));
	case ACT_MASK:
		return done && (got & ~e->mask) == (e->value & width_mask(log2));
	case ACT_ALLOW:
		/* Passed through to an address without a device: the board's own abort. */
		return done || (!(real && log2 == 2) && refused_at(&abort, ipa, false));
	default:
		return done;
	}
}

static void fail(const char *name, const char *what, unsigned log2, const struct expect *e, u64 got)
{
	if (trap_caught.sync || trap_caught.serror)
		check_fail(name, "%s of %u bytes: expected %s 0x%lx, got ESR 0x%lx FAR 0x%lx", what, 1U << log2,
			   check_word(e), e->value, trap_caught.esr, trap_caught.far);
	else
		check_fail(name, "%s of %u bytes: expected %s 0x%lx, got 0x%lx", what, 1U << log2, check_word(e),
			   e->value, got);
}

/* How many widths are aligned at this address. */
static unsigned widths(const struct place *p)
{
	unsigned n = 1;

	while (n < 4 && p->ipa % (1U << n) == 0)
		n++;
	return n;
}

/* "1..4: constant" while neighbours agree, then ", 8: refused (abort)". */
static void say_widths(struct console_list *said, const struct expect e[4], unsigned n)
{
	for (unsigned log2 = 0, first = 0; log2 < n; log2++) {
		if (log2 + 1 < n && e[log2 + 1].action == e[log2].action && e[log2 + 1].refusal == e[log2].refusal)
			continue;
		if (first == log2)
			console_list_add(said, "%u: %s", 1U << log2, check_word(&e[log2]));
		else
			console_list_add(said, "%u..%u: %s", 1U << first, 1U << log2, check_word(&e[log2]));
		first = log2 + 1;
	}
}

static void run_reads(const struct place *p)
{
	struct console_list said = { .used = 0 };
	bool right = true;

	for (unsigned log2 = 0; log2 < widths(p); log2++) {
		u64 got = POISON;
		bool done;

		if (!expect_returns(&p->r[log2]) || !expect_affords(&p->r[log2], PLENTY))
			continue;
		done = TRY(got = cpu_read_or(p->ipa, log2, POISON));
		if (read_is_right(&p->r[log2], p->ipa, log2, p->real, done, got))
			continue;
		fail(p->name, "read", log2, &p->r[log2], got);
		right = false;
	}
	say_widths(&said, p->r, widths(p));
	if (right)
		check_pass(p->name, "reads of %s", said.text);
}

static bool readable(const struct expect *e)
{
	return (e->action == ACT_ALLOW || e->action == ACT_MASK || e->action == ACT_VALUE) && expect_affords(e, PLENTY);
}

/* One write, and the values read before and after it. */
static bool try_write(const struct place *p, unsigned log2)
{
	const struct expect *w = &p->w[log2];
	bool see = readable(&p->r[log2]);
	u64 before = 0, after = 0, expected, bits = ~0UL;
	bool done;

	if (see)
		see = TRY(before = cpu_read(p->ipa, log2));
	done = TRY(cpu_write(p->ipa, log2, before ^ p->bits));
	if (w->action == ACT_DENY) {
		if (done || !refused_at(w, p->ipa, true)) {
			fail(p->name, "write", log2, w, before ^ p->bits);
			return false;
		}
	} else if (!done) {
		if (w->action == ACT_ALLOW && !(p->real && log2 == 2))
			return true;
		fail(p->name, "write", log2, w, before ^ p->bits);
		return false;
	}
	if (!see)
		return true;
	TRY(after = cpu_read(p->ipa, log2));
	expected = before;
	if (w->action == ACT_ALLOW || w->action == ACT_MASK) {
		bits = p->bits & (p->r[log2].action == ACT_VALUE ? 0 : ~0UL);
		expected = before ^ (w->action == ACT_MASK ? bits & w->mask : bits);
		TRY(cpu_write(p->ipa, log2, before));
	}
	if ((after & bits) == (expected & bits))
		return true;
	check_fail(p->name, "write of %u bytes, %s: expected 0x%lx, got 0x%lx", 1U << log2, check_word(w),
		   expected & bits, after & bits);
	return false;
}

static void run_writes(const struct place *p)
{
	struct console_list said = { .used = 0 };
	bool right = true;

	for (unsigned log2 = 0; log2 < widths(p); log2++)
		if (expect_returns(&p->w[log2]) && expect_affords(&p->w[log2], PLENTY) && !try_write(p, log2))
			right = false;
	say_widths(&said, p->w, widths(p));
	if (right)
		check_pass(p->name, "writes of %s", said.text);
}

static void run_identity(const struct identity *id)
{
	u64 got = POISON;
	bool done;

	if (!expect_returns(&id->e) || !expect_affords(&id->e, PLENTY)) {
		check_untried(id->name, "read", &id->e);
		return;
	}
	done = TRY(got = cpu_read_or(id->ipa, id->log2, POISON));
	if (!read_is_right(&id->e, id->ipa, id->log2, true, done, got))
		fail(id->name, "read", id->log2, &id->e, got);
	else if (!done)
		check_pass(id->name, "read %s", check_word(&id->e));
	else if (!expect_works(&id->e))
		check_pass(id->name, "read %s 0x%lx", check_word(&id->e), got);
	else if ((got & id->mask) != id->want)
		check_fail(id->name, "expected 0x%lx, got 0x%lx", id->want, got & id->mask);
	else
		check_pass(id->name, "read %s 0x%lx", check_word(&id->e), got);
}

CHECKS(030, mmio)
{
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		run_reads(&places[i]);
		run_writes(&places[i]);
	}
	for (u32 i = 0; i < ARRAY_SIZE(identities); i++)
		run_identity(&identities[i]);
}
