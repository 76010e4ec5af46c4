/* SPDX-License-Identifier: Apache-2.0 */
/* Boot arguments: one page of text at BOOTARGS_PA, put there by QEMU's loader. */
#ifndef HV_BOOTARGS_H
#define HV_BOOTARGS_H

#include "lib/types.h"

struct bootargs {
	bool unattended;        /* never wait for input: there is no operator */
	bool no_escape;         /* only BREAK opens the monitor */
	bool is_linux;          /* an Image was loaded in place of the bundled guest */
	int log;                /* enum log_mode, or -1: the guest's default */
	const char *init;       /* monitor commands to be run before the guest starts, separated by `;` */
	size_t init_size;
	u32 image, initrd, dtb; /* size of the initrd in bytes; 0: none */
};
extern struct bootargs bootargs;

/* Parses `size` bytes at `text`. False: a word is unknown, and *bad points at it. */
bool bootargs_parse(const char *text, size_t size, struct bootargs *out, const char **bad);

#endif
