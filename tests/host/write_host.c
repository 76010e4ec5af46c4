/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HV_CONSOLE_WRITE's reads and result. Cases come by stdin as three u64 each (test_bounds.py): IPA, size, SCTLR_EL1;
 * two go out: the result in x0, and how many bytes the console was given.
 *
 * Of the guest's RAM only the pages exist that hold the first 4096 bytes of the text, with nothing on either side: any
 * other access ends in SIGSEGV. Every byte holds its own address.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "cpu/locks.h"
#include "lib/build.h"
#include "log/console.h"
#include "log/drain.h"
#include "log/evidence.h"
#include "operator/monitor.h"
#include "trap/decide.h"
#include "trap/hvcall.h"

#define PAGE  4096UL
#define LINE  64
#define MOST  4096UL

const u64 build_number;
const u64 policy_hash;
const struct decision policy_rows[1];
const struct memory policy_memory[1];
const u16 policy_n_memory;
const u16 policy_exception[EXC_COUNT];
u64 fake_now, fake_step;

static u64 sctlr, given;
static const u8 *start; /* EL2's address of the first byte */
static u8 cleaned[MOST / LINE + 1];

u64 fake_sysreg_read(const char *name) { (void)name; return sctlr; }
void fake_sysreg_write(const char *name, u64 value) { (void)name; (void)value; abort(); }
void fake_at(u64 va, bool write, bool both) { (void)va; (void)write; (void)both; abort(); }
u64 decisions(const struct cpu *c, int verdict) { (void)c; (void)verdict; abort(); }
u16 policy_where(u16 row, const u64 record[WORD_COUNT]) { (void)row; (void)record; abort(); }
void drain_work(struct cpu *c, bool all) { (void)c; (void)all; abort(); }
void log_exception(struct cpu *c, u64 esr, u64 elr, u64 far) { (void)c; (void)esr; (void)elr; (void)far; abort(); }
void monitor_pause(struct cpu *c) { (void)c; abort(); }
bool monitor_run(struct cpu *c, const char *why) { (void)c; (void)why; abort(); }

static u8 of(const u8 *p)
{
	return (u8)((u64)p ^ (u64)p >> 8 ^ (u64)p >> 16);
}

void dc_civac(const void *p)
{
	u64 line = (u64)p / LINE - (u64)start / LINE;

	(void)*(const volatile u8 *)p;
	if (sctlr == 5 || line >= sizeof(cleaned))
		abort();
	cleaned[line] = 1;
}

u64 console_guest_text(const u8 *text, u64 n)
{
	if (text != start && n)
		abort();
	for (given = 0; given < n; given++)
		if (text[given] != of(text + given) || (sctlr != 5 && !cleaned[(u64)(text + given) / LINE - (u64)start / LINE]))
			abort();
	return n;
}

int main(void)
{
	static struct cpu c;
	u64 in[3], out[2];
	/* The pages below and above, which never exist. */
	u8 *ram = mmap((void *)(GUEST_PA - PAGE), GUEST_SIZE + 2 * PAGE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	if (ram != (u8 *)(GUEST_PA - PAGE))
		abort();
	ram += PAGE;
	while (fread(in, sizeof(in), 1, stdin) == 1) {
		u64 offset = in[0] - GUEST_IPA, size = in[1] < MOST ? in[1] : MOST, pages = 0;

		start = ram + (offset < GUEST_SIZE ? offset : 0);
		if (offset < GUEST_SIZE) {
			if (size > GUEST_SIZE - offset)
				size = GUEST_SIZE - offset;
			pages = size ? (offset % PAGE + size + PAGE - 1) / PAGE * PAGE : 0;
			if (mprotect((void *)((u64)start & ~(PAGE - 1)), pages, PROT_READ | PROT_WRITE))
				abort();
			for (u64 i = 0; i < size; i++)
				ram[offset + i] = of(start + i);
		}
		for (unsigned i = 0; i < sizeof(cleaned); i++)
			cleaned[i] = 0;
		given = 0;
		sctlr = in[2];
		c.frame.x[1] = in[0];
		c.frame.x[2] = in[1];
		if (!hvcall_console_write(&c) || fake_holds)
			abort();
		out[0] = c.frame.x[0];
		out[1] = given;
		fwrite(out, sizeof(out), 1, stdout);
		if (pages && mprotect((void *)((u64)start & ~(PAGE - 1)), pages, PROT_NONE))
			abort();
	}
	return 0;
}
