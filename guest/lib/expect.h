/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policy says of one probe of probes.txt. policygen renders build/gen/guest_expect.h, one
 * `#define EXPECT_NAME { .action = ACT_..., ... }` a probe, from the reference evaluator: the guest is told
 * the meaning of the policy by another hand than the one that wrote the tables it tests.
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

/* The access does what the guest means by it, by whatever way. */
static inline bool expect_works(const struct expect *e)
{
	return e->action == ACT_ALLOW || e->action == ACT_EMULATE;
}

/* The guest goes on after it, no operator is asked, and it is known what comes of it. */
static inline bool expect_returns(const struct expect *e)
{
	return e->action != ACT_PAUSE && e->action != ACT_KILL && !e->conditional;
}

/*
 * The rate limit, if any, leaves room for `n` of them. A limit belongs to an entry of the policy, which may
 * cover more than this access: `n` is generous.
 */
static inline bool expect_affords(const struct expect *e, u32 n)
{
	return !e->limit || e->limit >= n;
}

#endif
