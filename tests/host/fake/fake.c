/* SPDX-License-Identifier: Apache-2.0 */
/* The machine under the monitor and the log on a host: registers by name, a UART in memory, some guest RAM. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "board/integrity.h"
#include "cpu/bootargs.h"
#include "cpu/locks.h"
#include "cpu/smp.h"
#include "dev/vgic.h"
#include "dev/virtio.h"
#include "fake.h"
#include "lib/build.h"
#include "log/console.h"
#include "log/evidence.h"
#include "log/output.h"
#include "log/power.h"
#include "log/record.h"
#include "operator/debug.h"
#include "operator/gdb.h"
#include "vm/guestmem.h"
#include "vm/inject.h"
#include "vm/stage2.h"

u64 fake_now = 1000, fake_step = 7;
u8 fake_ram[FAKE_RAM];
const char *fake_end;
jmp_buf fake_stop;

static struct {
	char name[24];
	u64 value;
} registers[256];

static u64 *sysreg(const char *name)
{
	unsigned i;

	for (i = 0; registers[i].name[0]; i++)
		if (!strcasecmp(registers[i].name, name))
			return &registers[i].value;
	strncpy(registers[i].name, name, sizeof(registers[i].name) - 1);
	return &registers[i].value;
}

u64 fake_sysreg_read(const char *name)
{
	if (!strcasecmp(name, "cntfrq_el0"))
		return 62500000;
	if (!strcasecmp(name, "cntpct_el0"))
		return counter();
	return *sysreg(name);
}

void fake_sysreg_write(const char *name, u64 value)
{
	*sysreg(name) = value;
}

void fake_at(u64 va, bool write, bool both_stages)
{
	(void)write;
	/* Some tests' guests have stage 1 off or tables of their own; this one maps RAM 1:1. */
	if (va - GUEST_IPA < FAKE_RAM)
		fake_sysreg_write("par_el1", (va & ~0xfffUL) + (both_stages ? GUEST_PA - GUEST_IPA : 0));
	else /* with bit 46 set, the walk itself meets an external abort */
		fake_sysreg_write("par_el1", 1 | (va & BIT(46) ? 0x15 : 5) << 1);
}

u64 smc(u64 function, u64 x1, u64 x2, u64 x3)
{
	return function + x1 + x2 + x3;
}

bool guarded_read(u64 pa, unsigned size, u64 *value)
{
	*value = 0;
	if (pa - GUEST_PA > FAKE_RAM - size)
		return false;
	memcpy(value, fake_ram + (pa - GUEST_PA), size);
	return true;
}

void dc_civac(const void *p)
{
	(void)p;
}

void ic_ialluis(void)
{
}

void wfi(void)
{
}

u64 gich_lr_read(unsigned n)
{
	return n;
}

/* --- the rest of EL2, as far as the log and the monitor need it --------------------------- */

struct cpu *cpus[MAX_CPUS];
unsigned n_cpus = 1;
struct bootargs bootargs;
const char build_id[] = "test-1";
const bool build_locked, build_monitor = true;
struct guest_id guest_id = { "diag", 0x08c1d2ee };
u64 console_guest_bytes;
bool console_escape = true;
static bool midline;

/* --- under debugging: points are kept, nothing runs ----------------------------------------------------- */

struct debug_point debug_points[DEBUG_POINTS];

unsigned debug_slots(bool data)
{
	return data ? DEBUG_DATA : DEBUG_CODE;
}

int debug_add(const struct debug_point *p, bool data)
{
	for (unsigned i = data ? DEBUG_CODE : 0; i < (data ? DEBUG_POINTS : DEBUG_CODE); i++)
		if (!debug_points[i].owner) {
			debug_points[i] = *p;
			return (int)i;
		}
	return -1;
}

void debug_step(struct cpu *c, u64 count, bool hold_interrupts)
{
	(void)c;
	(void)count;
	(void)hold_interrupts;
}

void debug_until(enum until what, u64 value)
{
	(void)what;
	(void)value;
}

void debug_stop(struct cpu *c)
{
	(void)c;
}

void debug_resume(struct cpu *c)
{
	(void)c;
}

const struct decision *debug_shadow(struct cpu *c, const struct decision *d)
{
	(void)c;
	(void)d;
	return NULL;
}

void inject(struct trap_frame *f, u64 esr, const u64 *far)
{
	fake_sysreg_write("esr_el1", esr);
	if (far)
		fake_sysreg_write("far_el1", *far);
	f->elr_el2 = fake_sysreg_read("vbar_el1") + 0x200;
}

void inject_undef(struct trap_frame *f)
{
	inject(f, 0x2000000, NULL);
}

void inject_serror(void)
{
}

void vgic_set_pending(struct cpu *c, u32 irq)
{
	(void)c;
	(void)irq;
}

void output_put(u8 byte)
{
	putchar(byte);
}

void output_pump(void)
{
}

/* gdb.c has these in programs that link it. */
__attribute__((weak)) bool gdb_active;
__attribute__((weak)) void gdb_text(const char *s, size_t n)
{
	(void)s;
	(void)n;
}

void console_watch(void)
{
}

u64 el2_fault[3];
bool vtime_hides = true;

void vtime_hide(u64 ticks)
{
	(void)ticks;
}

u64 vtime_hidden(void)
{
	return 0;
}

void console_input(struct cpu *c)
{
	(void)c;
}

void gic_route_uart(u32 cpu)
{
	(void)cpu;
}

volatile bool smp_stopped = true;
static bool stand;
void smp_stop_others(struct cpu *c)
{
	(void)c;
	stand = true;
}

void smp_resume_others(void)
{
	stand = false;
}

/* CPU `c` waits: the monitor is with any of them. */
void monitor_parked(struct cpu *c) __attribute__((weak));
void smp_park(struct cpu *c)
{
	c->parked = true;
	while (stand && monitor_parked)
		for (unsigned i = 0; i < MAX_CPUS && stand; i++)
			if (cpus[i])
				monitor_parked(cpus[i]);
}

void gic_send_sgi(u32 cpu, u32 irq)
{
	(void)cpu, (void)irq;
}

bool console_guest(u8 byte)
{
	console_guest_bytes++;
	midline = byte != '\n';
	if (byte == 0x1e || byte == 0x1f) {
		putchar(0x1f);
		byte = byte == 0x1e ? 'e' : 'f';
	}
	putchar(byte);
	return true;
}

bool console_hold(void)
{
	return lock_enter(&line_lock);
}

void console_release(bool held)
{
	lock_leave(&line_lock, held);
}

u32 console_room(void)
{
	return 1 << 16;
}

void console_pump(void)
{
}

void console_flush(void)
{
}

truth console_midline(void)
{
	return midline;
}

void console_raw(const char *s, size_t n)
{
	if (gdb_active && *s != 0x1e) {
		gdb_text(s, n);
		return;
	}
	if (midline)
		fputs("\r\n", stdout);
	midline = false;
	fwrite(s, 1, n, stdout);
}

/* 0xff: no input for as long as EL2 waits; 0xfe: a BREAK. */
int console_getc(int ms)
{
	int ch = getchar();

	if (ch == 0xff && ms >= 0)
		return -1;
	if (ch != EOF)
		return ch == 0xfe ? CONSOLE_BREAK : ch;
	fake_end = "input";
	longjmp(fake_stop, 1);
}

void machine_off(const char *reason)
{
	log_finish(cpus[0], reason);
	fake_end = reason;
	longjmp(fake_stop, 1);
}

void guest_reset(void)
{
	machine_off("reset");
}

void *guest_ram(u64 ipa, u64 size)
{
	u64 offset = ipa - GUEST_IPA;

	if (ipa < GUEST_IPA || offset > FAKE_RAM || size > FAKE_RAM - offset)
		return NULL;
	return fake_ram + offset;
}

truth guest_translate(u64 va, unsigned as, u64 *ipa, u64 *par)
{
	fake_at(va, as & AS_WRITE, false);
	*par = fake_sysreg_read("par_el1");
	*ipa = (*par & ~0xfffUL) | (va & 0xfff);
	return !(*par & 1);
}

size_t guest_read_va(u64 va, void *to, size_t size)
{
	size_t done;

	for (done = 0; done < size; done++, va++) {
		u64 ipa, par;
		u8 *p;

		if (!guest_translate(va, 0, &ipa, &par) || !(p = guest_ram(ipa, 1)))
			break;
		((u8 *)to)[done] = *p;
	}
	return done;
}

/* RAM in one level 2 table, a page of a device in a level 3 table: enough to look at. */
unsigned stage2_walk(u64 ipa, u64 d[3])
{
	d[0] = d[1] = d[2] = 0;
	if (!(ipa >> 30)) {
		d[0] = 0x40112003;
		if (ipa >> 21 != policy_passthrough[0].base >> 21)
			return 2;
		d[1] = 0x40113003;
		if (ipa >> 12 == policy_passthrough[0].base >> 12)
			d[2] = (ipa & ~0xfffUL) | BIT(54) | 0x4c7;
		return 3;
	}
	if (ipa >> 30 != 1)
		return 1;
	d[0] = 0x40110003;
	if (ipa >= GUEST_IPA + FAKE_RAM)
		return 2;
	d[1] = ((ipa & ~0x1fffffUL) + (GUEST_PA - GUEST_IPA)) | 0x7fd;
	return 2;
}

/* --- one CPU ----------------------------------------------------------------------------------------- */

struct cpu *fake_cpu(void)
{
	char *block = aligned_alloc(CPU_BLOCK_SIZE, CPU_BLOCK_SIZE);
	struct cpu *c = (struct cpu *)(block + CPU_STRUCT_OFFSET);

	memset(block, STACK_PATTERN, CPU_STRUCT_OFFSET);
	memset(c, 0, sizeof(*c));
	c->rows = calloc(policy_n_rows, sizeof(*c->rows));
	for (unsigned i = 0; i < policy_n_rows; i++) {
		c->rows[i].decision = &policy_rows[i];
		c->rows[i].header = log_row_header((u16)i);
	}
	c->stopped_seq = ~0UL;
	c->frame.spsr_el2 = 0x3c5;
	c->vgic.n_lrs = 4;
	c->online = true;
	cpus[0] = c;
	/* aligned_alloc: no slack behind the rings, so that the sanitizer sees a write past them */
	log_init(c, aligned_alloc(64, log_ring_bytes()));
	return c;
}

bool virtio_describe(unsigned transport, struct virtio_status *s)
{
	*s = (struct virtio_status){ .type = 2, .status = 0x4f, .requests = 7, .refused = 2, .waits = 3, .breaks = 1,
				     .why = "chain-length" };
	return transport == 31;
}

/* EL2's memory does not change on a host. */
bool integrity_holds(void)
{
	return true;
}
