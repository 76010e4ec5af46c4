/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator's command line tells EL2: one page of text at BOOTARGS_PA, put there by QEMU's loader. */
#ifndef HV_BOOTARGS_H
#define HV_BOOTARGS_H

#include "lib/types.h"

struct bootargs {
	bool unattended;        /* no operator at the console: never wait for input */
	bool no_escape;         /* only BREAK opens the monitor */
	bool is_linux;          /* an Image was loaded, not the bundled guest */
	int log;                /* enum log_mode, or -1: the guest's default */
	const char *init;       /* commands for the monitor before the guest starts, between `;` */
	size_t init_size;
	u32 image, initrd, dtb; /* bytes loaded; 0: none */
};
extern struct bootargs bootargs;

/* Parses `size` bytes at `text`. False: there is text, but a word in it is unknown; *bad points at it. */
bool bootargs_parse(const char *text, size_t size, struct bootargs *out, const char **bad);

#endif
