/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep's output: runs of equal outcomes, one address series a line. policygen/target/verify_run.py reads it. */
#ifndef SWEEP_REPORT_H
#define SWEEP_REPORT_H

#include "lib/types.h"

struct result {
	char letter;    /* o: done; u: UNDEFINED; a: external abort; s: SError; x: other exception (value: ESR);
			   c: done, and x1 to x3 came back changed; z: many exceptions; p: passed over */
	char flag;      /* 0: no trap; -: one, counted as denied; +: one; *: more than one */
	bool has_value;
	u64 value;
};

extern u64 report_traps; /* accesses that trapped so far */

void report_start(bool can_count);
/* A sentence for the reader of the report. */
bool report_alike(const struct result *a, const struct result *b);
void report(char kind, char direction, u8 width, u64 at, u64 step, u64 x1, u64 x2, const struct result *r);
void report_end(void);

#endif
