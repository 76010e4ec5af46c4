/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of sysregs.c, which limits.c floods when the policy limits one. */
#ifndef GUEST_SYSREGS_H
#define GUEST_SYSREGS_H

#include "expect.h"

struct sysreg_row {
	const char *name;
	u64 (*read)(void);    /* or NULL */
	void (*write)(u64);   /* or NULL */
	struct expect r, w;
	u64 bits;             /* bits that the write inverts; the operand if the register cannot be read */
	bool gap;
};
extern const struct sysreg_row sysregs_rows[];
extern const u32 sysregs_n_rows;

/* Whether TRY(got = row->read()), which returned `done`, went as the policy says. */
bool sysregs_read_is_right(const struct sysreg_row *row, bool done, u64 got);

#endif
