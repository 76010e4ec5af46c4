/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of calls.c, which limits.c floods when the policy limits one. */
#ifndef GUEST_CALLS_H
#define GUEST_CALLS_H

#include "expect.h"
#include "insn.h"

struct call {
	const char *name, *what;
	insn_fn *run;
	u64 id, x1, x2, x3;
	struct expect e;
	s64 lo, hi;       /* x0 of a call that is served */
};
extern const struct call calls[];
extern const u32 calls_n;

struct call_result {
	u64 x0;
	bool done;        /* no exception */
	unsigned changed; /* the first of x1..x30 that came back changed; 31 if none */
};
struct call_result calls_make(const struct call *c);
/* Whether a call's outcome is the policy's, x1..x30 included. */
bool calls_is_right(const struct call *c, const struct call_result *r);

#endif
