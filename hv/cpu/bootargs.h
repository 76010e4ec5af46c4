/* SPDX-License-Identifier: Apache-2.0 */
/* Boot arguments: one page of text at BOOTARGS_PA, put there by QEMU's loader. */
#ifndef HV_BOOTARGS_H
#define HV_BOOTARGS_H

#include "lib/types.h"

#define BOOT_PARTS 8

/* A loaded file: guest addresses [base, base + size). */
struct boot_part {
	u64 base, size;
};

struct bootargs {
	bool unattended;        /* never wait for input: there is no operator */
	bool no_escape;         /* only BREAK opens the monitor */
	bool is_linux;          /* an Image was loaded in place of the bundled guest */
	int log;                /* enum log_mode, or -1: the guest's default */
	const char *init;       /* monitor commands to be run before the guest starts, separated by `;` */
	size_t init_size;
	u64 image, initrd, dtb; /* bytes loaded; 0: none */
	u64 initrd_at;          /* the initrd's IPA; 0: where the board has it */
	u64 entry, x0;          /* of a kernel of parts */
	unsigned n_parts;       /* 0: Linux, or the bundled guest */
	struct boot_part parts[BOOT_PARTS];
};
extern struct bootargs bootargs;

/* Parses `size` bytes at `text`. False: a word is unknown, and *bad points at it. */
bool bootargs_parse(const char *text, size_t size, struct bootargs *out, const char **bad);

#endif
