/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trap path of EL2, from trap_sync() to the guest's next instruction, under a policy's own tables. Built twice:
 *
 *   alone, it reads cases from stdin (struct question), runs each as one trap and writes its effects (struct
 *   answer), which test_trap.py compares with the model's; devices only note that they were asked;
 *   with -DREAL_DEVICES the vGIC, the UART, the RTC and the console are the real ones, and bytes become traps one after
 *   the other on one machine: by libFuzzer (-DLIBFUZZER), or from a seed (argv: first seed, number of seeds).
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include "board/gic.h"
#include "board/integrity.h"
#include "board/mmu.h"
#include "board/uart.h"
#include "cpu/alarm.h"
#include "cpu/bootargs.h"
#include "cpu/esr.h"
#include "cpu/locks.h"
#include "cpu/smp.h"
#include "dev/vgic.h"
#include "dev/virtio.h"
#include "dev/vrtc.h"
#include "dev/vuart.h"
#include "lib/build.h"
#include "lib/psci.h"
#include "log/console.h"
#include "log/evidence.h"
#include "log/power.h"
#include "operator/debug.h"
#include "operator/gdb.h"
#include "operator/monitor.h"
#include "operator/rules.h"
#include "trap/decide.h"
#include "trap/replay.h"
#include "trap/trap.h"
#include "vm/el1_exception.h"
#include "vm/inject.h"
#include "vm/pmu.h"
#include "vm/stage2.h"

enum op {
	OP_REPLAY_READ = 1, OP_REPLAY_WRITE, OP_DEVICE_READ, OP_DEVICE_WRITE, OP_MODEL_READ, OP_MODEL_WRITE, OP_SGI,
	OP_CLEAN, OP_IC, OP_MONITOR, OP_CPU_ON, OP_CPU_OFF, OP_CONSOLE, OP_DROP, OP_DEACTIVATE, OP_DISABLE, OP_PHYSICAL,
	OP_INPUT, OP_TICK, OP_MAINTENANCE, OP_PARK, OP_FLUSH, OP_NOTE, OP_WFI,
	OP_DEBUG, OP_VIRTIO, OP_RTC, OP_COUNT, OP_VECTOR, OP_OPEN,
};
#define OPS 8
#define ABSENT 7 /* CPUs from this index on do not exist; those with odd numbers have not been started */
#define ZVA  5 /* DCZID_EL0.BS: 128 bytes; DZP is set */
#define HZ    62500000UL
#define SLEEP 62500 /* ticks */
/* More bits of question.sp_el0 with WORK, besides the work itself. */
#define STOPS  BIT(16) /* the debugger wants the monitor */
#define TWICE  BIT(17) /* the monitor is to open again */
#define RAISES BIT(18) /* bytes behind a key have raised the guest's interrupt */
/* More bits of question.entry. */
#define KEEP     0x100 /* time, limits and log-once memory go on; sp_el0: ticks that have passed */
#define WORK     0x200 /* sp_el0: work pending before the guest goes on */
/* The CPU has PAN (sp_el0[3:0]; 0x212 if that is 0), SSBS ([7:4]), MTE ([11:8]), NMI ([15:12]), GCS ([19:16]), RAS ([23:20]);
 * from then on. [63:32]: GCSCR_EL1 */
#define FEATURES 0x400
#define MIDLINE  0x800 /* the guest has left a line unfinished, and only refusals are written */
#define TELLS    0x1000 /* only refusals are written, and no line is unfinished */
#define STREAMS  0x2000 /* all is written */
/* Rule sp_el0[15:0] is let pass (bit 16), asked about (17), once (18), or neither; [31:24]: the operator's answer. */
#define CHANGES  0x4000
#define ABSENCE  0x8000 /* no register that is replayed exists: EL2's own access is UNDEFINED */
#define ENDS     0x3000u /* bytes at either end of RAM that are not zero */

/*
 * More in question.entry, [63:32]: the instruction at question.elr, where that is in RAM; 0: whatever is there. And in
 * question.sctlr, [33:32] and [34]: CPACR_EL1.FPEN and CPTR_EL2.TFP. SP_EL1 is SP_EL0 + 64.
 */
struct question {
	u64 x[31], elr, spsr, esr, far, hpfar, sp_el0, entry, sctlr, vbar;
};
struct answer {
	u64 x[32], elr, spsr, sp_el0, esr_el1, elr_el1, spsr_el1, far_el1, hcr, par;
	u64 end;           /* first letter of the reason for power-off, or 0 */
	u64 hits, denied;  /* how many decisions were counted */
	u64 cost;          /* counter of the row that decided */
	u64 lost;          /* records overwritten before they were on the line, so far */
	u64 changed_at, changed; /* in RAM's ends: place and number of bytes that are zero now */
	u64 row;           /* the row that decided */
	u64 records, record_row, record_value, record_addr, record_aux, record_pc, record_esr, record_info, record_time;
	u64 n_ops, op[OPS][4];
	u64 lines;         /* bytes of the log on the line */
	u64 vsesr;         /* VSESR_EL2 */
	u64 sp_el1;
	u64 more[3][6];    /* further records, as record_value and so on */
};

u64 fake_now = 1000, fake_step = 7;
struct cpu *cpus[MAX_CPUS];
unsigned n_cpus = ABSENT;
struct bootargs bootargs;
struct guest_id guest_id = { "host", 1 };
const char build_id[] = "host";
const u64 build_number = 0x12345678;
const bool build_locked, build_monitor = true;
struct debug_point debug_points[DEBUG_POINTS];
bool gdb_active;
const char policy_replay[8 << 13];
asm(".global replay_begin, replay_end\n.set replay_begin, policy_replay\n.set replay_end, policy_replay + 65536");

static jmp_buf off;
static const char *why_off;
static u64 extra; /* STOPS and so on, once each */
static struct answer answer;
static struct { char name[24]; u64 value; } registers[128];

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "trap_host: %s\n", what);
	abort();
}

static void note(enum op op, u64 a, u64 b, u64 c)
{
	u64 *to = answer.op[answer.n_ops < OPS ? answer.n_ops : OPS - 1];

	answer.n_ops++;
	to[0] = op;
	to[1] = a;
	to[2] = b;
	to[3] = c;
}

/* ---- outside the trap path ----------------------------------------------------------------------------------- */

static u64 *sysreg(const char *name)
{
	unsigned i;

	for (i = 0; registers[i].name[0]; i++)
		if (!strcasecmp(registers[i].name, name))
			return &registers[i].value;
	must(i + 1 < ARRAY_SIZE(registers), "too many registers");
	strncpy(registers[i].name, name, sizeof(registers[i].name) - 1);
	return &registers[i].value;
}
u64 fake_sysreg_read(const char *name)
{
	if (name[0] == 't' && !strcmp(name, "tpidr_el2"))
		return (u64)cpus[0];
	if (!strcasecmp(name, "cntfrq_el0"))
		return HZ;
	return *sysreg(name);
}
void fake_sysreg_write(const char *name, u64 value) { *sysreg(name) = value; }

/*
 * The guest's stage 1: bit 46 is not mapped, with bit 47 by stage 2; bit 44 cannot be written, or with bit 43 is
 * refused at level 0. The rest is a window of 4 GiB. trap_model.py has the same.
 */
void fake_at(u64 va, bool write, bool both)
{
	u64 status = (write ? 0xd : 0x7) & (va & BIT(43) ? ~3UL : ~0UL);
	bool fails = va & BIT(46) || (write && va & BIT(44));

	(void)both;
	/* with all fields around FST and PA set */
	fake_sysreg_write("par_el1", fails ? 0xd80 | (va >> 47 & 1) << 9 | status << 1 | 1 :
					     0xff00000000000b80 | (va & 0xfffff000));
}
u64 smc(u64 function, u64 x1, u64 x2, u64 x3) { return function + x1 + x2 + x3; }

/* vectors.S and panic.c in C; `x0` as the stub began with it. False: the register exists. */
static bool absence;
static bool faults(const char *stub, u64 *x0)
{
	struct trap_frame f = { .x = { *x0 }, .elr_el2 = (u64)stub, .esr_el2 = ESR_IL };
	struct trap_frame code = { .elr_el2 = (u64)stub, .esr_el2 = (u64)EC_IABT_CUR << 26 };
	struct trap_frame before = { .elr_el2 = (u64)policy_replay - 4 }, behind = { .elr_el2 = (u64)(policy_replay + sizeof(policy_replay)) };

	if (!absence)
		return false;
	must(!replay_faulted(&code) && !replay_faulted(&before) && !replay_faulted(&behind), "EL2's own fault is taken for the guest's");
	must(replay_faulted(&f) && f.elr_el2 == (u64)stub + 4, "a stub's fault is no guest's");
	*x0 = f.x[0];
	return true;
}
u64 replay_read(const char *stub)
{
	u64 n = (u64)(stub - policy_replay) / 8, x0 = 99;

	note(OP_REPLAY_READ, n, 0, 0);
	return faults(stub, &x0) ? x0 : n * 0x9e3779b97f4a7c15UL;
}
void replay_write(const char *stub, u64 value)
{
	note(OP_REPLAY_WRITE, (u64)(stub - policy_replay) / 8, value, 0);
	faults(stub + 8, &value);
}

/* Only devices that the policy gives in this size; bit 11 of an address makes the device refuse, bit 10 a write. */
static void reachable(u64 pa, unsigned size, bool write)
{
	const struct decision *d = &policy_rows[policy_mmio(pa, (unsigned)__builtin_ctz(size), write)];

	if (pa - GUEST_PA < GUEST_SIZE) {
		must(write && policy_ram(pa - GUEST_PA + GUEST_IPA, false) != NO_ROW, "a store that the guest makes itself");
		return;
	}
	must(d->action == ACT_ALLOW || d->action == ACT_MASK || d->action == ACT_PAUSE, "a device that is not the guest's");
}
/* V0 to V31: halves are told apart. trap_model.py knows. */
void fp_save(u64 v[64])
{
	must((fake_sysreg_read("cptr_el2") & BIT(10)) == 0, "EL2 is trapped by CPTR_EL2");
	for (u64 i = 0; i < 64; i++)
		v[i] = (i + 1) * 0x9e3779b97f4a7c15UL;
}
void fp_load(unsigned n, const u64 v[2]) { note(OP_VECTOR, n, v[0], v[1]); }

static bool is_ram(u64 pa, unsigned size) { return pa >= GUEST_PA && pa <= GUEST_PA + GUEST_SIZE - size; }
void stage2_open(u64 ipa, bool exec) { note(OP_OPEN, ipa, exec, 0); }
truth guarded_read(u64 pa, unsigned size, u64 *value)
{
	note(OP_DEVICE_READ, pa, size, 0);
	*value = (pa * 0x9e3779b97f4a7c15UL) >> (64 - 8 * size);
	return !(pa & BIT(11));
}
truth guarded_write(u64 pa, unsigned size, u64 value)
{
	if (!is_ram(pa, size))
		reachable(pa, size, true);
	note(OP_DEVICE_WRITE, pa, size, value);
	return !(pa & (BIT(11) | BIT(10)));
}
void dc_civac(const void *p)
{
	*(volatile const u8 *)p; /* must be the guest's memory, or the sanitizer complains */
	must((u64)p >= GUEST_PA && (u64)p < (u64)GUEST_PA + GUEST_SIZE, "cache maintenance outside the guest's RAM");
	note(OP_CLEAN, (u64)p, 0, 0);
}
/* WFI ends by an interrupt or, with x30[1], an SError; with x30[0] by EL2's own FIQ first. trap_model.py has the same. */
void wfi(void)
{
	static bool disturbed;
	u64 x30 = cpus[0]->frame.x[30];

	note(OP_WFI, 0, 0, 0);
	must(answer.n_ops < 100, "the guest sleeps on");
	fake_now += SLEEP; /* which is not a cost */
	disturbed = x30 & 1 && !disturbed;
	fake_sysreg_write("isr_el1", disturbed ? 1 << 6 : x30 & 2 ? 1 << 8 : 1 << 7);
}
void ic_ialluis(void) { note(OP_IC, 0, 0, 0); }

static bool once(u64 which)
{
	bool was = extra & which;

	extra &= ~which;
	return was;
}

void log_callers(struct cpu *c)
{
	(void)c;
	must(false, "no profile asks for callers");
}

bool monitor_run(struct cpu *c, const char *why)
{
	must(!fake_holds, "the monitor opens with a lock held");
	must(c->row, "the monitor has no decision to show");
	note(OP_MONITOR, (u8)why[0], 0, 0);
	if (once(TWICE))
		c->work |= WORK_MONITOR;
	return true;
}
void monitor_pause(struct cpu *c) { monitor_run(c, "pause"); }
static int operator_says;
int monitor_ask(struct cpu *c, const struct decision *d)
{
	must(policy_rows[c->row - c->rows].rule == d->rule, "asked about another decision");
	note(OP_MONITOR, '?', 0, 0);
	return operator_says;
}
void monitor_note(struct cpu *c, u32 todo) { (void)c; note(OP_NOTE, todo & WORK_NOTES, 0, 0); }
void machine_off(const char *reason)
{
	must(!fake_holds, "the machine goes off with a lock held that it may need");
	why_off = reason;
	longjmp(off, 1);
}
void guest_reset(void) { machine_off("reset"); }
unsigned smp_online(void) { return 2; }
void smp_park(struct cpu *c) { must(!fake_holds, "stands still with a lock held"); note(OP_PARK, c->index, 0, 0); }
u64 smp_cpu_on(struct cpu *target, u64 entry, u64 context)
{
	must(!fake_holds, "a CPU starts with a lock held");
	note(OP_CPU_ON, target->index, entry, context);
	return 0;
}
u64 smp_cpu_off(struct cpu *c)
{
	note(OP_CPU_OFF, c->index, 0, 0);
	return (u64)PSCI_DENIED;
}
enum outcome trap_debug(struct trap_frame *f) { return trap_other(f); } /* no debugger */
bool debug_work(struct cpu *c)
{
	(void)c;
	note(OP_DEBUG, 0, 0, 0);
	return once(STOPS);
}
void debug_tick(struct cpu *c) { (void)c; note(OP_DEBUG, 1, 0, 0); }
const struct decision *debug_shadow(struct cpu *c, const struct decision *d) { (void)c; (void)d; return NULL; }
void gdb_text(const char *s, size_t n) { (void)s; (void)n; }
truth integrity_holds(void) { return true; }
void alarm_set(enum alarm which, u64 when) { (void)which; (void)when; }
void alarm_log(u64 when) { cpus[0]->log_due = when; }
void alarm_sleep(u64 until) { (void)until; }
void alarm_irq(struct cpu *c) { note(OP_TICK, 1 + c->index, 0, 0); }
void uart_rx_interrupt(bool on) { (void)on; }
void uart_clear_interrupt(void) {}

/* The sanitizer watches the memory behind a block, except up to the next line. */
#define UNUSED 0xa5
#ifdef __SANITIZE_ADDRESS__
#define BEHIND 0
#else
#define BEHIND 64
#endif
static struct { u8 *block; size_t size; } carved[64];
static unsigned n_carved;

static size_t lines_of(size_t size) { return ((size + 63) & ~63UL) + BEHIND; }
static void *carved_with(size_t size, size_t align, int byte)
{
	u8 *block = aligned_alloc(64, lines_of(size));

	must(align && !(align & (align - 1)) && align <= 64, "no alignment");
	must(n_carved < ARRAY_SIZE(carved), "too many blocks");
	carved[n_carved].block = block;
	carved[n_carved++].size = size;
	memset(block, byte, size);
	memset(block + size, UNUSED, lines_of(size) - size);
	return block;
}
void *boot_alloc_dirty(size_t size, size_t align) { return carved_with(size, align, 0x5a); }
void *boot_alloc(size_t size, size_t align) { return carved_with(size, align, 0); }

/* ---- devices ------------------------------------------------------------------------------------------------- */

static u64 model(u64 which, bool write, u32 offset, unsigned size, u64 value)
{
	must(!fake_holds, "a device is asked with a lock held");
	note(write ? OP_MODEL_WRITE : OP_MODEL_READ, which << 32 | offset, size, value);
	return ((which << 32 | offset) * 0x9e3779b97f4a7c15UL) >> (64 - 8 * size);
}

u64 virtio_read(u64 ipa, unsigned size) { return model(MODEL_VIRTIO_MMIO, false, (u32)ipa, size, 0); }
void virtio_write(u64 ipa, unsigned size, u64 value) { model(MODEL_VIRTIO_MMIO, true, (u32)ipa, size, value); }
bool virtio_interrupt(u32 irq) { return irq >= 64 && irq < 80; }
void virtio_tick(void) { note(OP_VIRTIO, 0, 0, 0); }
enum outcome pmu_software_increment(struct trap_frame *f, u64 value) { (void)f; note(OP_COUNT, value, 0, 0); return NEXT; }

#ifdef REAL_DEVICES
/* Called while a CPU waits: no other one runs here, so that each stands in EL2 as soon as it is asked to. */
void fake_relax(void)
{
	for (unsigned i = 1; i < n_cpus; i++)
		cpus[i]->vgic.stands = true;
}

static const u8 *input; /* input, and interrupts to come */
static size_t input_left;
static u64 lr[VGIC_MAX_LRS];

static int next_byte(void)
{
	return input_left ? input_left--, *input++ : -1;
}
int uart_get(void)
{
	int byte = next_byte();

	return byte > 250 ? UART_BREAK : byte & 1 ? byte : -1;
}
bool uart_ready(void) { return true; }
void uart_wait(void) {}
void uart_send(u8 byte) { (void)byte; }
void uart_tx_interrupt(bool on) { (void)on; }
u64 gich_lr_read(unsigned n) { must(n < 4, "a list register that is not there"); return lr[n]; }
void gich_lr_write(unsigned n, u64 value) { must(n < 4, "a list register that is not there"); lr[n] = value; }
u32 gic_acknowledge(void) { int byte = next_byte(); return byte < 0 || byte & 0x80 ? 1023 : (u32)byte; }
void gic_drop(u32 irq) { must(irq < 256, "GIC"); }
void gic_deactivate(u32 irq) { must(irq < 256, "GIC"); }
void gic_enable(u32 cpu, u32 irq, bool on) { must(cpu < n_cpus && irq < 256, "GIC"); (void)on; }
void gic_deactivate_of(u32 cpu, u32 irq) { must(cpu < n_cpus && irq < 32, "GIC"); }
void gic_forget(u32 cpu, u32 mask) { must(cpu < n_cpus, "GIC"); (void)mask; }
void gic_configure(u32 cpu, u32 irq, bool edge) { must(cpu < n_cpus && irq < 32, "GIC"); (void)edge; }
u32 gic_pending_ppis(u32 cpu) { must(cpu < n_cpus, "GIC"); return 0; }
void gic_send_sgi(u32 cpu, u32 irq) { must(cpu < n_cpus && irq < 16, "GIC"); }
u32 mmio_read32(u64 pa) { must(pa == RTC_PA, "the board's device"); return 1700000000; }
#else
void vrtc_tick(void) { note(OP_RTC, 0, 0, 0); }
struct vgic_dist vgic_dist;
u64 console_guest_bytes;
bool console_escape;

u64 vgic_dist_read(u32 o, unsigned size)
{
	u64 v;

	/* the fast path does not call this for such accesses */
	return size == 4 && vgic_dist_peek(o, &v) ? v : model(MODEL_VGIC_DIST, false, o, size, 0);
}
void vgic_dist_write(u32 o, unsigned size, u64 v)
{
	if (size != 4 || !vgic_dist_idle_write(o, (u32)v))
		model(MODEL_VGIC_DIST, true, o, size, v);
}
u64 vgic_redist_read(u32 o, unsigned size) { return model(MODEL_VGIC_REDIST, false, o, size, 0); }
void vgic_redist_write(u32 o, unsigned size, u64 v) { model(MODEL_VGIC_REDIST, true, o, size, v); }
u32 vuart_flags = 0x90;
u64 vuart_read(struct cpu *c, u32 o)
{
	(void)c;
	return o == 0x18 ? vuart_flags : model(MODEL_PL011, false, o, 4, 0);
}
void vuart_write(u32 o, u64 v) { model(MODEL_PL011, true, o, 4, o ? v : (u8)v); }
u64 vrtc_read(u32 o) { return model(MODEL_PL031, false, o, 4, 0); }
void vrtc_write(u32 o, u64 v) { model(MODEL_PL031, true, o, 4, v); }
void vgic_sgi(struct cpu *c, u64 value, bool group1)
{
	(void)c;
	must(!fake_holds, "an SGI with a lock held");
	note(OP_SGI, value, group1, 0);
}
bool vgic_icc_read(struct cpu *c, u32 key, u64 *value) { (void)c; (void)key; (void)value; return false; }
bool vgic_icc_write(struct cpu *c, u32 key, u64 value) { (void)c; (void)key; (void)value; return false; }
void vgic_flush(struct cpu *c) { (void)c; must(!fake_holds, "flushed with a lock held"); note(OP_FLUSH, 0, 0, 0); }
void vgic_physical(struct cpu *c, u32 irq) { (void)c; note(OP_PHYSICAL, irq, 0, 0); }
void vgic_maintenance(struct cpu *c) { (void)c; note(OP_MAINTENANCE, 0, 0, 0); }
static u64 waiting; /* interrupts, a byte each; 0 ends them */
u32 gic_acknowledge(void)
{
	u32 irq = waiting & 0xff;

	must(!fake_holds, "an interrupt is taken with a lock held");
	if (irq == 255) /* a storm: it comes again and again */
		return 79;
	waiting >>= 8;
	return !irq ? 1023 : irq < 200 ? irq : irq == 200 ? 0 : 800 + irq;
}
void gic_drop(u32 irq) { note(OP_DROP, irq, 0, 0); }
void gic_deactivate(u32 irq) { note(OP_DEACTIVATE, irq, 0, 0); }
void gic_enable(u32 cpu, u32 irq, bool on) { note(OP_DISABLE, cpu, irq, on); }
void console_input(struct cpu *c)
{
	note(OP_INPUT, 0, 0, 0);
	if (once(RAISES))
		c->work |= WORK_VGIC;
}
void console_tick(struct cpu *c) { (void)c; note(OP_TICK, 0, 0, 0); }
static bool midline;
truth console_midline(void) { return midline; }
void console_raw(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		answer.lines += s[i] == 0x1e; /* RS begins one */
}
u64 console_guest_text(const u8 *text, u64 n)
{
	u64 sum = 0;

	must(!fake_holds, "the console is written with a lock held");
	for (u64 i = 0; i < n; i++) /* a sum that depends on each place */
		sum = sum * 31 + text[i];
	console_guest_bytes += n;
	if (n)
		note(OP_CONSOLE, n, sum, 0);
	return n;
}
bool console_hold(void) { return lock_enter(&line_lock); }
void console_release(bool held) { lock_leave(&line_lock, held); }
u32 console_room(void) { return 1 << 16; }
void console_pump(void) {}
void console_flush(void) {}
void console_deaf(struct cpu *c) { (void)c; must(false, "nobody is deaf"); }
#endif

/* ---- the machine --------------------------------------------------------------------------------------------- */

static u8 pattern[ENDS];

static struct cpu *boot(void)
{
	u8 *ram = mmap((void *)GUEST_PA, GUEST_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	must(ram == (u8 *)GUEST_PA, "no room for the guest's RAM");
	for (unsigned i = 0; i < ENDS; i++) /* the same in trap_model.py */
		pattern[i] = (u8)((i * 7 + (i >> 8)) % 255 + 1);
	memcpy(ram, pattern, ENDS);
	memcpy(ram + GUEST_SIZE - ENDS, pattern, ENDS);
	fake_sysreg_write("dczid_el0", BIT(4) | ZVA);
	fake_sysreg_write("ich_vtr_el2", 3);
	log_set_mode(LOG_QUIET, false);
	for (unsigned i = 0; i <= ABSENT; i++) { /* no later case must find the last one's */
		char *block = aligned_alloc(CPU_BLOCK_SIZE, CPU_BLOCK_SIZE);
		struct cpu *c = memset(block + CPU_STRUCT_OFFSET, 0, sizeof(*c));

		cpus[i] = c;
		c->index = i;
		c->online = i % 2 == 0;
		c->stopped_seq = ~0UL;
		c->stop_reason = "key";
		decide_init(c);
		log_init(c, boot_alloc_dirty(log_ring_bytes(), 64));
#ifdef REAL_DEVICES
		vgic_cpu_init(c);
#endif
	}
	return cpus[0];
}

static void load(struct cpu *c, const struct question *q)
{
	struct trap_frame *f = &c->frame;

	memcpy(f->x, q->x, sizeof(q->x));
	f->x[31] = 0;
	f->elr_el2 = q->elr;
	f->spsr_el2 = q->spsr;
	f->esr_el2 = q->esr;
	f->far_el2 = q->far;
	f->hpfar_el2 = q->hpfar;
	f->sp_el0 = q->sp_el0;
	f->sp_el1 = q->sp_el0 + 64;
	fake_sysreg_write("sctlr_el1", q->sctlr & ~(7UL << 32));
	fake_sysreg_write("cpacr_el1", ~(3UL << 20) | (q->sctlr >> 32 & 3) << 20);
	fake_sysreg_write("cptr_el2", q->sctlr & BIT(34) ? ~0UL : ~BIT(10));
	fake_sysreg_write("sp_el0", f->sp_el0);
	fake_sysreg_write("sp_el1", f->sp_el1);
	fake_sysreg_write("pan", q->spsr >> 22 & 1);
	fake_sysreg_write("vbar_el1", q->vbar);
}

#ifndef REAL_DEVICES
/* The row whose counter has moved; the second one of a rate limit has gone back. */
static u64 counted(const struct cpu *c)
{
	static u64 *hits, row;

	if (!hits)
		hits = calloc(policy_n_rows, sizeof(*hits));
	for (unsigned i = 0; i < policy_n_rows; i++) {
		if (hits[i] != c->rows[i].hits)
			row = i;
		hits[i] = c->rows[i].hits;
	}
	return row;
}
#endif

/* Where the guest is, as its translation has it; NULL: no RAM is there. */
static u32 *code_of(const struct question *q)
{
	u64 ipa = q->elr & 0xfffffffc;

	return ipa >= GUEST_IPA && ipa < GUEST_IPA + GUEST_SIZE ? (u32 *)(ipa - GUEST_IPA + GUEST_PA) : NULL;
}

/* False: the machine is off. */
static bool handle(struct cpu *c, const struct question *q)
{
	why_off = NULL;
	if (setjmp(off)) {
		locks_forget();
		return false;
	}
	switch (q->entry & 0xff) {
	case 0: trap_sync(&c->frame, q->esr); break;
	case 1: trap_sync32(&c->frame, q->esr); break;
	case 2: trap_serror(&c->frame); break;
	default:
		c->watch_misses = 2;
		trap_irq(&c->frame);
		must(!c->watch_misses, "a guest that takes interrupts looks stuck");
	}
	must(!fake_holds, "the guest goes on with a lock held");
	return true;
}

/* With its instruction in place. */
static bool trap(struct cpu *c, const struct question *q)
{
	u32 *code = q->entry >> 32 ? code_of(q) : NULL, was = code ? *code : 0;
	bool on;

	if (code)
		*code = (u32)(q->entry >> 32);
	on = handle(c, q);
	if (code)
		*code = was;
	return on;
}

/* A permission fault whose address the guest's tables no longer translate: the access is made again. */
static bool __attribute__((unused)) no_decision(const struct cpu *c, const struct question *q)
{
	unsigned class = esr_class(q->esr);

	return (class == EC_DABT_LOW || class == EC_IABT_LOW) && (q->esr & 0x3c) == 0xc && !(q->esr & DABT_S1PTW) &&
	       c->frame.elr_el2 == q->elr;
}

#ifndef REAL_DEVICES
static void look_at_ram(void)
{
	for (u64 ipa = GUEST_IPA; ipa <= GUEST_IPA + GUEST_SIZE - ENDS; ipa += GUEST_SIZE - ENDS) {
		u8 *end = (u8 *)(ipa - GUEST_IPA + GUEST_PA);

		if (!memcmp(end, pattern, ENDS))
			continue;
		for (u64 i = 0; i < ENDS; i++) {
			if (end[i] == pattern[i])
				continue;
			must(!end[i], "something but zeros is written into the guest's RAM");
			if (!answer.changed++)
				answer.changed_at = ipa + i;
		}
		memcpy(end, pattern, ENDS);
	}
}

static void look_at_blocks(void)
{
	for (unsigned i = 0; i < n_carved; i++)
		for (size_t at = carved[i].size; at < lines_of(carved[i].size); at++)
			must(carved[i].block[at] == UNUSED, "something is written behind what was carved");
}

static void change(u64 how)
{
	u32 set = (how & BIT(16) ? ROW_WOULD : 0) | (how & BIT(17) ? ROW_STOP : 0) | (how & BIT(18) ? ROW_ONCE : 0);

	must(rules_set((u16)how, set, (ROW_WOULD | ROW_STOP | ROW_ONCE) & ~set), "no such rule");
	operator_says = (u8)(how >> 24);
}

int main(void)
{
	struct cpu *c = boot();
	struct question q;

	for (unsigned i = 0; i < VGIC_BANKS - 1; i++)
		vgic_dist.spi[i].enabled = 0x11111111 * (i + 1);
	fwrite(policy_rows, sizeof(*policy_rows), policy_n_rows, stdout);
	while (fread(&q, sizeof(q), 1, stdin) == 1) {
		u64 hits = decisions(c, -1), denied = decisions(c, V_DENY), seq = c->log.seq;
		const struct log_record *r;
		u64 cost = 0, entered, due = c->log_due;

		for (unsigned i = 0; i < policy_n_rows; i++)
			cost += c->rows[i].cost;
		memset(&answer, 0, sizeof(answer));
		if (!(q.entry & KEEP)) {
			memset(c->logged_once, 0, LOGGED_SLOTS * sizeof(u64));
			memset(c->limit_time, 0, policy_n_limits * sizeof(u64));
			fake_now += HZ; /* `log: once` and rate limits start afresh */
		} else {
			fake_now += q.entry & (WORK | CHANGES) ? 0 : q.sp_el0;
		}
		if (q.entry & CHANGES)
			change(q.sp_el0);
		console_guest_bytes = 0;
		waiting = (q.entry & 0xff) == 3 ? q.far : 0;
		for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
			if (registers[i].name[0] && strcasecmp(registers[i].name, "dczid_el0"))
				registers[i].value = 0;
		fake_sysreg_write("par_el1", 0x5a5a);
		load(c, &q);
		if (q.entry & WORK)
			c->work = (u16)q.sp_el0;
		extra = q.entry & WORK ? q.sp_el0 : 0;
		midline = q.entry & MIDLINE;
		absence = q.entry & ABSENCE;
		log_set_mode(q.entry & STREAMS ? LOG_TEXT : q.entry & (MIDLINE | TELLS) ? LOG_NOTABLE : LOG_QUIET, false);
		if (q.entry & FEATURES) {
			u64 has = q.sp_el0 ? q.sp_el0 : 0x212;

			/* with all bits around the fields set */
			fake_sysreg_write("id_aa64mmfr1_el1", ~(0xfUL << 20) | (has & 0xf) << 20);
			fake_sysreg_write("id_aa64pfr1_el1", ~0xf0f000000ff0UL | (has & 0xff0) | (has >> 12 & 0xf) << 36 |
					  (has >> 16 & 0xf) << 44);
			fake_sysreg_write("id_aa64pfr0_el1", ~(0xfUL << 28) | (has >> 20 & 0xf) << 28);
			fake_sysreg_write("GCSCR_EL1", has >> 32);
			take_optional = 0;
			inject_init();
		}
		entered = fake_now + fake_step;
		answer.end = trap(c, &q) ? 0 : (u8)why_off[0];
		must(answer.end || midline || !c->work, "something is left to do");
		must(answer.end || !c->record, "a record is still to be completed");
		if (!answer.end && log_mode != LOG_QUIET && decisions(c, V_DENY) > denied && log_notable_waiting(&c->log))
			must(due > fake_now ? c->log_due == due : due ? c->log_due > fake_now :
			     c->log_due > entered + HZ / 2 && c->log_due <= fake_now + HZ / 2,
			     "a refusal waits, and the alarm is not half a second after its trap");
		answer.hits = decisions(c, -1) - hits;
		answer.cost = -cost;
		answer.lost = c->log.lost;
		if (c->log.seq - c->log.drained > LOG_RING)
			answer.lost += c->log.seq - c->log.drained - LOG_RING;
		for (unsigned i = 0; i < policy_n_rows; i++)
			answer.cost += c->rows[i].cost;
		answer.denied = decisions(c, V_DENY) - denied;
		answer.row = counted(c);
		answer.records = c->log.seq - seq;
		r = answer.records ? log_find(c, seq) : NULL;
		if (r) {
			answer.record_row = r->row;
			answer.record_value = r->value;
			answer.record_addr = r->addr;
			answer.record_aux = r->aux;
			answer.record_pc = r->pc;
			answer.record_esr = r->esr;
			answer.record_info = r->info | (u64)r->kind << 8 | (u64)r->n << 16;
			answer.record_time = r->seq == seq && r->time == entered && (answer.end || r->cost - answer.cost < 50);
		}
		for (u64 i = 1; i < answer.records && i <= 3; i++) {
			u64 *to = answer.more[i - 1];

			r = log_find(c, seq + i);
			if (!r) /* one with the record before */
				continue;
			to[0] = r->value;
			to[1] = r->addr;
			to[2] = r->aux;
			to[3] = r->pc;
			to[4] = r->esr;
			to[5] = r->info | (u64)r->kind << 8 | (u64)r->n << 16;
			must(r->kind != REC_DECISION || (r->time > entered && r->cost < 100), "a record has the time or cost of another");
		}
		if (answer.end == 'k') {
			r = log_find(c, c->log.seq - 1);
			must(r && r->kind == REC_EVENT && r->row == EV_GUEST_LEAVE && !r->value && !r->addr,
			     "the guest's end is not the last that was recorded");
		}
		look_at_ram();
		memcpy(answer.x, c->frame.x, sizeof(answer.x));
		answer.elr = c->frame.elr_el2;
		answer.spsr = c->frame.spsr_el2;
		answer.sp_el0 = c->frame.sp_el0;
		answer.esr_el1 = fake_sysreg_read("esr_el1");
		answer.elr_el1 = fake_sysreg_read("elr_el1");
		answer.spsr_el1 = fake_sysreg_read("spsr_el1");
		answer.far_el1 = fake_sysreg_read("far_el1");
		answer.hcr = fake_sysreg_read("hcr_el2");
		answer.par = fake_sysreg_read("par_el1");
		answer.vsesr = fake_sysreg_read("VSESR_EL2");
		answer.sp_el1 = c->frame.sp_el1;
		must(answer.sp_el0 == fake_sysreg_read("sp_el0") && answer.sp_el1 == fake_sysreg_read("sp_el1"),
		     "the frame's SP is not the register");
		c->work = 0; /* the next input finds a guest without pending work, also behind its end */
		c->record = NULL;
		fwrite(&answer, sizeof(answer), 1, stdout);
	}
	look_at_blocks();
	return 0;
}
#else

/* Most of a trap is chosen so that it has effects; the rest is random. */
static void shape(struct question *q, u8 kind)
{
	static const u32 windows[] = { 0x08000000, 0x080a0000, 0x080b0000, 0x09000000, 0x09010000, 0x09030000, 0x0a000000,
				       0x0c000000, 0x3ffffff8, 0x40000000 };
	static const u64 ram[] = { 0x40000000, 0x6ffffff8, 0x70000000, 0x3fffffff, 0x6fffffff, 0 };
	static const u32 ids[] = { 0, 0x80000000, 0x84000000, 0xc4000000, 0x86000000 };
	u64 iss = q->esr & 0x1ffffff, ipa = windows[q->hpfar % ARRAY_SIZE(windows)] + (q->far & 0x3ffff);

	q->entry = 0;
	switch (kind & 7) {
	case 0: q->esr = (u64)EC_SYSREG << 26 | iss | ESR_IL; break;
	case 1: case 2:
		q->esr = (u64)EC_DABT_LOW << 26 | (iss & 0x1e4047) | ESR_IL | (kind & 8 ? iss : DABT_ISV | (iss & 3UL << 22)) | 4;
		q->hpfar = ipa >> 12 << 4;
		q->far = kind & 16 ? ipa : (ipa & ~7UL);
		break;
	case 3: case 4:
		q->esr = (u64)(kind & 8 ? EC_HVC64 : EC_SMC64) << 26 | ESR_IL | (kind & 16 ? iss & 0xffff : 0);
		q->x[0] = ids[q->x[0] % ARRAY_SIZE(ids)] + (q->x[0] >> 8 & 31);
		q->x[1] = ram[q->x[1] % ARRAY_SIZE(ram)] + (kind & 32 ? q->x[1] >> 56 : 0);
		break;
	case 5: q->entry = 3; break;
	case 6: q->esr &= 0xffffffff; q->entry = kind >> 4 & 3; break;
	default: q->esr = (u64)EC_DABT_LOW << 26 | iss; break;
	}
	if (q->entry || esr_class(q->esr) != EC_DABT_LOW || q->esr & DABT_ISV || kind & 32)
		return;
	/* A load or store of any kind, by a base register that fits. */
	q->elr = GUEST_IPA + (q->elr & 0xfffffc);
	q->spsr = kind & 64 ? 0x3c5 : 0x3c0;
	q->entry = (0x28000000 | (q->x[5] & 0xd5ffffff)) << 32;
	if ((q->entry >> 37 & 31) != 31)
		q->x[q->entry >> 37 & 31] = q->far + (q->x[6] & 7 ? 0 : q->x[7] % 64);
	q->sctlr = q->x[6] & 0x38 ? 3UL << 32 : q->sctlr;
	q->esr = (q->esr & ~0x3dUL) | (q->x[6] & 0x1c0 ? 0 : q->x[6] >> 9 & 0x3f) | 6;
}

/* Whether so many decisions may come of one trap. */
static bool may_decide(const struct cpu *c, const struct question *q, u64 n)
{
	if (esr_class(q->esr) == EC_DABT_LOW && !(q->esr & (DABT_ISV | DABT_CM | DABT_S1PTW)) && q->entry != 3)
		return n <= 4; /* two registers of 128 bits; none where EL1 has to mend something first */
	return n == (q->entry != 3) || (!n && no_decision(c, q));
}

static void play(const u8 *data, size_t size)
{
	static struct cpu *c;
	struct question q;

	if (!c)
		c = boot();
	while (size) {
		size_t n = size < sizeof(q) ? size : sizeof(q);
		u64 before = decisions(c, -1), x[31];
		u8 kind = data[0];

		memset(&q, 0, sizeof(q));
		memcpy(&q, data, n);
		data += n;
		size -= n;
		input = data;
		input_left = size < 64 ? size : 64;
		shape(&q, kind);
		load(c, &q);
		memcpy(x, c->frame.x, sizeof(x));
		memset(&answer, 0, sizeof(answer));
		if (!trap(c, &q)) {
			c->work = 0;
			continue;
		}
		must(may_decide(c, &q, decisions(c, -1) - before), "a trap is not one decision");
		must(c->log.seq < 1UL << 60 && c->log.drained <= c->log.seq, "the log's numbers");
		if ((kind & 7) == 3 || (kind & 7) == 4)
			must(!memcmp(x + 1, c->frame.x + 1, 30 * sizeof(u64)), "a call changes more than x0");
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	play(data, size);
	return 0;
}

#ifndef LIBFUZZER
/* xorshift64*, as in the hostile guest. */
int main(int argc, char **argv)
{
	static u8 data[64 * sizeof(struct question)];
	u64 first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;

	for (u64 seed = first; seed < first + n; seed++) {
		u64 state = seed * 2 + 1;

		for (size_t i = 0; i < sizeof(data); i += 8) {
			u64 v;

			state ^= state >> 12;
			state ^= state << 25;
			state ^= state >> 27;
			v = state * 0x2545f4914f6cdd1dUL;
			memcpy(data + i, &v, 8);
		}
		play(data, sizeof(data));
	}
	printf("decisions=%lu denied=%lu\n", decisions(cpus[0], -1), decisions(cpus[0], V_DENY));
	return 0;
}
#endif
#endif
