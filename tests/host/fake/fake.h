/* SPDX-License-Identifier: Apache-2.0 */
/* The machine for host tests of the log and the monitor; see fake.c. */
#ifndef FAKE_H
#define FAKE_H

#include <setjmp.h>
#include "cpu/cpu.h"

#define FAKE_RAM 0x400000UL /* guest RAM from GUEST_IPA on */

extern u8 fake_ram[FAKE_RAM];
extern jmp_buf fake_stop;    /* target of machine_off() and of the end of the input */
extern const char *fake_end; /* why */

struct cpu *fake_cpu(void);

#endif
