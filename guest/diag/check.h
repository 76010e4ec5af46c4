/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts as sentences: `PASS: subject: ...`, `FAIL: subject: ...: expected X, got Y`, and their total. */
#ifndef GUEST_CHECK_H
#define GUEST_CHECK_H

#include "expect.h"

extern u32 check_passed, check_failed;

void check_pass(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_fail(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A sentence for a check that was not tried, with the reason: it does not count. */
void check_note(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a check that the policy's action or its limit rules out: "not tried: constant, limit 5/s". */
void check_untried(const char *subject, const char *what, const struct expect *e);

/* One sentence: PASS if `ok`, else FAIL with both values. Returns ok. */
bool check_equal(const char *subject, const char *what, u64 expected, u64 got);
bool check_true(const char *subject, const char *what, bool ok, u64 got);

/*
 * Whether TRY() caught the refusal that the policy names, raised by the instruction that was tried: (instruction &
 * mask) == match. Silent; not for calls refused by a number.
 */
bool check_refused(enum refusal refusal, u32 match, u32 mask);
/* Whether TRY() caught a data abort or instruction abort of EL1's own: EC, fault status, FAR_EL1. */
bool check_abort(u32 ec, u32 fsc, u64 far);

/* "allowed", "refused (UNDEF)", "constant", ...: the words of the sentences. */
const char *check_word(const struct expect *e);

/*
 * CHECKS(110, limits) { ... }: the checks of a file as one function, which main.c calls in the order of the numbers. It
 * registers itself (guest.ld, .checks), so that a new file is never left out.
 */
typedef void check_fn(void);
#define CHECKS(number, name)                                                                                   \
	static check_fn name##_run;                                                                            \
	static check_fn *const name##_checks __attribute__((section(".checks." #number), used)) = name##_run;   \
	static void name##_run(void)

/* Instructions, for check_refused(). */
#define INSN_MRS   0xd5300000, 0xfff00000
#define INSN_MSR   0xd5100000, 0xfff00000
#define INSN_SYS   0xd5080000, 0xfff80000
#define INSN_HVC   0xd4000002, 0xffe0001f
#define INSN_SMC   0xd4000003, 0xffe0001f
#define INSN_ANY   0, 0

/* A value that no register has by itself. */
#define POISON     0x5ca1ab1e0ddba11cUL

#endif
