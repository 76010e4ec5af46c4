/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2's own faults: polled output, no lock, no ring writes; prints the frame, EL2's registers and the last decisions,
 * then opens the monitor, or powers off when unattended.
 */
#include "lib/panic.h"
#include <stdarg.h>
#include "arch/arch.h"
#include "boot/watchdog.h"
#include "cpu/bootargs.h"
#include "cpu/cpu.h"
#include "cpu/locks.h"
#include "lib/print.h"
#include "lib/psci.h"
#include "log/console.h"
#include "log/evidence.h"
#include "log/power.h"
#include "operator/monitor.h"
#include "trap/replay.h"

char emergency_stack[4096] __attribute__((aligned(16)));
asm(".global emergency_stack_end\n.set emergency_stack_end, emergency_stack + 4096");

extern char __text_start[], __text_end[];

u64 el2_fault[3];
static bool begun;
static struct cpu *volatile first;

static void report_end(void) __attribute__((noreturn));
static void report_end(void)
{
	struct cpu *c = this_cpu();

	kprintf("last decisions:\n");
	log_tail(c, 16);
	console_polls = true;
	if (!bootargs.unattended)
		monitor_run(c, "panic");
	machine_off("panic");
}

/*
 * A panic inside a panic report prints one line by hand and powers off. A panic of another CPU waits: the first is
 * reported.
 */
static void check_depth(void)
{
	if (!__atomic_exchange_n(&begun, true, __ATOMIC_SEQ_CST)) {
		first = this_cpu();
		locks_void = true;
		return;
	}
	while (first != this_cpu())
		wfi();
	console_raw("\r\ncharter: panic in panic\r\n", 27);
	smc(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		wfi();
}

void panic(const char *format, ...)
{
	va_list ap;

	check_depth();
	kprintf("\ncharter: panic: ");
	va_start(ap, format);
	kvprintf(format, ap);
	va_end(ap);
	kprintf("\n");
	report_end();
}

/* Prints words on this CPU's stack, from `p` on, that point to code: the callers, and perhaps some of earlier calls. */
static void say_calls(const u64 *p)
{
	u64 top = (u64)this_cpu();

	kprintf("calls");
	for (; top - (u64)p - 1 < CPU_STRUCT_OFFSET - CPU_GUARD_SIZE; p++)
		if (*p - (u64)__text_start < (u64)__text_end - (u64)__text_start)
			kprintf(" %lx", *p);
	kprintf("\n");
}

void el2_panic(struct trap_frame *f, u64 kind)
{
	static const char *const vectors[4] = { "synchronous exception", "IRQ", "watchdog: no end for 4 s", "SError" };

	if ((kind == EL2_FIQ && !watchdog_expired(f)) || (kind == EL2_SYNC && replay_faulted(f)))
		return;
	check_depth();
	el2_fault[0] = f->elr_el2;
	el2_fault[1] = f->far_el2;
	el2_fault[2] = f->esr_el2;
	kprintf("\ncharter: panic: %s at EL2%s (%s), CPU %u\n", vectors[kind & 3], kind & 16 ? ", stack overflow" : "",
		kind & 4 ? "SP_EL2" : "SP_EL0", this_cpu()->index);
	kprintf("esr %016lx  elr %016lx  far %016lx  spsr %08lx\n", f->esr_el2, f->elr_el2, f->far_el2, f->spsr_el2);
	for (unsigned i = 0; i < 31; i++)
		kprintf("x%-2u %016lx%s", i, f->x[i], i % 4 == 3 || i == 30 ? "\n" : "  ");
	kprintf("sp  %016lx\n", (u64)(f + 1));
	say_calls((const u64 *)(f + 1));
	if (kind == EL2_FIQ)
		locks_say();
	log_exception(this_cpu(), f->esr_el2, f->elr_el2, f->far_el2);
	report_end();
}
