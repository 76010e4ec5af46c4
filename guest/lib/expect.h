/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy's answer for one probe of probes.txt. policygen renders build/gen/guest_expect.h, one `#define EXPECT_NAME
 * { .action = ACT_..., ... }` a probe, from the reference evaluator: the guest learns the policy's meaning from other
 * code than that which made the tables.
 */
#ifndef GUEST_EXPECT_H
#define GUEST_EXPECT_H

#include "policy/policy.h"

/* Members that an initialiser leaves out are zero: no limit, no model, REFUSE_UNDEF. */
struct expect {
	u8 action;       /* enum action */
	u8 refusal;      /* ACT_DENY: enum refusal */
	u8 model;        /* ACT_EMULATE, and calls that are served: enum model */
	u8 over;         /* enum action beyond `limit` */
	u32 limit;       /* decisions a second; 0 = no limit */
	u64 value, mask; /* as in struct decision */
	bool conditional; /* by conditions on a value that the probe does not name, or on the PC */
};

#include "guest_expect.h"

/* Whether the access has its usual effect, in any way. */
static inline bool expect_works(const struct expect *e)
{
	return e->action == ACT_ALLOW || e->action == ACT_EMULATE;
}

/* Whether the guest goes on after it, without an operator, and the outcome is known. */
static inline bool expect_returns(const struct expect *e)
{
	return e->action != ACT_PAUSE && e->action != ACT_KILL && !e->conditional;
}

/*
 * Whether the rate limit, if any, has room for `n` of them. A limit belongs to an entry of the policy, which may cover
 * more than this access: `n` is generous.
 */
static inline bool expect_affords(const struct expect *e, u32 n)
{
	return !e->limit || e->limit >= n;
}

#endif
