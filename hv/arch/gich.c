/* SPDX-License-Identifier: Apache-2.0 */
/* List registers by number; the architecture has only a name for each. */
#include "arch.h"

#define EACH_LR(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

u64 gich_lr_read(unsigned n)
{
	switch (n) {
#define READ(n) case n: return sysreg_read(ich_lr##n##_el2);
	EACH_LR(READ)
	}
	return 0;
}

void gich_lr_write(unsigned n, u64 value)
{
	switch (n) {
#define WRITE(n) case n: sysreg_write(ich_lr##n##_el2, value); return;
	EACH_LR(WRITE)
	}
}
