/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts as sentences, and their count. */
#include <stdarg.h>

#include "check.h"
#include "console.h"
#include "trap.h"

u32 check_passed, check_failed;

void check_pass(const char *subject, const char *format, ...)
{
	va_list args;

	check_passed++;
	va_start(args, format);
	console_sentence("PASS", subject, format, args);
	va_end(args);
}

void check_fail(const char *subject, const char *format, ...)
{
	va_list args;

	check_failed++;
	va_start(args, format);
	console_sentence("FAIL", subject, format, args);
	va_end(args);
}

void check_note(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	console_sentence("NOTE", subject, format, args);
	va_end(args);
}

void check_untried(const char *subject, const char *what, const struct expect *e)
{
	if (e->limit)
		check_note(subject, "%s: not tried: %s, limit %u/s", what, check_word(e), e->limit);
	else
		check_note(subject, "%s: not tried: %s", what, check_word(e));
}

bool check_equal(const char *subject, const char *what, u64 expected, u64 got)
{
	if (expected == got)
		check_pass(subject, "%s: 0x%lx", what, got);
	else
		check_fail(subject, "%s: expected 0x%lx, got 0x%lx", what, expected, got);
	return expected == got;
}

bool check_true(const char *subject, const char *what, bool ok, u64 got)
{
	if (ok)
		check_pass(subject, "%s", what);
	else
		check_fail(subject, "%s: expected so, got 0x%lx", what, got);
	return ok;
}

/* SPSR_EL1: the exception came from EL1h, with the IRQ and FIQ masks of that time. */
static bool from_el1h(void)
{
	return FIELD(trap_caught.spsr, 4, 0) == 0x5;
}

bool check_abort(u32 ec, u32 fsc, u64 far)
{
	return trap_caught.sync == 1 && trap_caught.serror == 0 && from_el1h() && trap_ec() == ec &&
	       trap_fsc() == fsc && trap_caught.far == far;
}

bool check_refused(enum refusal refusal, u32 match, u32 mask)
{
	if (refusal == REFUSE_SERROR)
		return trap_caught.serror == 1 && trap_caught.sync == 0 && trap_ec() == EC_SERROR;
	if (trap_caught.sync != 1 || trap_caught.serror || !from_el1h() || (trap_caught.insn & mask) != match)
		return false;
	if (refusal == REFUSE_SEA)
		return trap_ec() == EC_DABT && trap_fsc() == FSC_EXTERNAL;
	if (refusal == REFUSE_PERMISSION)
		return (trap_ec() == EC_DABT || trap_ec() == EC_IABT) && trap_fsc() == FSC_PERMISSION_L3;
	return refusal == REFUSE_UNDEF && trap_caught.esr == BIT(25); /* EC 0, IL */
}

static const char *check_refusal(enum refusal refusal)
{
	static const char *const words[REFUSE_COUNT] = {
		[REFUSE_UNDEF] = "refused (UNDEF)",
		[REFUSE_SEA] = "refused (abort)",
		[REFUSE_SERROR] = "refused (SError)",
		[REFUSE_NOT_SUPPORTED] = "refused (NOT_SUPPORTED)",
		[REFUSE_INVALID_PARAMETERS] = "refused (INVALID_PARAMETERS)",
		[REFUSE_DENIED] = "refused (DENIED)",
		[REFUSE_PERMISSION] = "refused (permission fault)",
	};
	_Static_assert(REFUSE_COUNT == 7, "words[] has a text for each enum refusal");

	return words[refusal];
}

const char *check_word(const struct expect *e)
{
	static const char *const words[ACT_COUNT] = {
		[ACT_ALLOW] = "allowed",
		[ACT_VALUE] = "constant",
		[ACT_IGNORE] = "ignored",
		[ACT_MASK] = "masked",
		[ACT_EMULATE] = "emulated",
		[ACT_FORWARD] = "forwarded",
		[ACT_PAUSE] = "pause",
		[ACT_KILL] = "kill",
	};
	_Static_assert(ACT_COUNT == 9, "words[] has a text for each enum action but ACT_DENY");

	return e->action == ACT_DENY ? check_refusal(e->refusal) : words[e->action];
}
