/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hostile guest: random accesses, instructions, calls, tables and interrupts from FUZZ_SEED on, until EL2 has made
 * FUZZ_COUNT decisions. At the end it prints whether EL2's count was its own wherever it could count. Every CPU of the
 * machine takes part with random numbers of its own; all but the first also go off and come on again.
 *
 * At EL1 it runs short snippets of chosen kinds; at EL0, in AArch64 and AArch32, random words that may overwrite
 * themselves, with a timer to end them. The EL1 program lies in memory that no random access can reach.
 */
#include "cpu.h"
#include "guest.h"
#include "guest_calls.h"
#include "run.h"

_Static_assert(GUEST_IPA == 0x40000000 && GUEST_SIZE == 0x30000000 && GICD_PA == 0x08000000 && GICR_PA == 0x080a0000 &&
	       UART0_PA == 0x09000000 && RTC_PA == 0x09010000, "guest/fuzz/fuzz.c has the addresses of qemu-virt as numbers");

#define CODE_EL1   0x40200000UL /* snippets */
#define CODE_EL0   0x48000000UL /* memory for EL0 to read, write and execute */
#define DATA       0x50000000UL
#define LINEAR     0x240000000UL /* a second mapping of RAM for EL1 alone, which no random address hits */
#define UNALIGNED  0xc0000000UL  /* devices as Normal memory: stage 1 allows every access */
#define CHAOS      0x100000000UL /* random descriptors */
#define SVC        0xd4000001u
#define SPSR_EL1H  0x3c5UL
#define SPSR_EL1H_I 0x345UL      /* IRQs unmasked */
#define CPUS       8
#define IS_ON      0
#define IS_OFF     1
#define ALREADY_ON (-4L)
#define FRAME(cpu) (0x080a0000UL + (cpu) * 0x20000UL) /* this CPU's redistributor */
#define RESCUE     0xffff        /* SGIs for a CPU that waits */

void main(void);
void main_again(void);
extern char second[]; /* start.S */

static u64 l1[512] __attribute__((aligned(4096)));
static u64 l2[512] __attribute__((aligned(4096)));
static u64 devices[512] __attribute__((aligned(4096)));
static u64 unaligned[512] __attribute__((aligned(4096)));
static u64 chaos[512] __attribute__((aligned(4096)));

static u64 n_cpus;
static volatile bool stop;
static struct self {
	bool mmu, may_sleep; /* a timer is set that will end a WFI */
	u64 state;           /* state of its random numbers */
	u64 rounds, tallies, wrong;
	volatile u64 done;   /* decisions that EL2 has made */
} selves[CPUS];

static u64 number(void)
{
	return cpu_sysreg(mpidr_el1) % CPUS;
}
static struct self *self(void)
{
	return &selves[number()];
}

/* xorshift64* */
static u64 rnd(void)
{
	u64 v = self()->state;

	v ^= v >> 12;
	v ^= v << 25;
	v ^= v >> 27;
	self()->state = v;
	return v * 0x2545f4914f6cdd1dUL;
}
static u64 below(u64 n)
{
	return (rnd() >> 33) % n;
}

static void say(const char *text)
{
	u64 n = 0;

	while (text[n])
		n++;
	cpu_hvc(HV_CONSOLE_WRITE, (u64)text, n, 0);
}
static void say_number(u64 v)
{
	char digits[21];
	u32 at = 20;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	say(&digits[at]);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

/* Not virtio: a device may write any of the guest's memory, and so end the experiment. */
static u64 device(void)
{
	static const u64 windows[] = { 0x08000000, 0x080a0000, 0x080b0000, 0x09000000, 0x09010000, 0x09030000, 0x0c000000,
				       0x0b000000, 0x3f000000, 0, 0x3ffff000, 0x10000000 };
	u64 at = windows[below(ARRAY_SIZE(windows))] + (below(4) ? below(0x1000) & ~3UL : below(0x1000));

	if (n_cpus > 1 && at >> 20 == 0x080)
		at += FRAME(below(n_cpus)) - FRAME(0);

	switch (below(8)) {
	case 0: return at | 0xff8;      /* at the page's end */
	case 1: return (at + 0x6000) & 0x3fffffff; /* not the first pages of RAM, which hold this program */
	case 2:
		at = below(1UL << 30);
		return at >> 16 == 0x0a00 ? at + 0x10000 : at;
	}
	return at;
}

/* An address for a snippet: outside the EL1 program and its tables. */
static u64 address(void)
{
	u64 at = device();

	switch (below(self()->mmu ? 12 : 6)) {
	case 0: return DATA + below(0x1000);
	case 1: return 0x6ffffff8 + below(16); /* at the end of RAM */
	case 2: return (1UL << (31 + below(17))) + (at & 0xffff);
	case 3: return 0x3ffffff0 + below(16); /* at the end of the windows, perhaps into RAM, whose first bytes are unused */
	case 6: case 7: case 8: return UNALIGNED + at;
	case 9: return CHAOS + below(1UL << 30);
	case 10: return below(3) * (1UL << 30) + 0x140000000UL + at;
	case 11: return rnd();
	}
	return at;
}

/* ---- instructions ------------------------------------------------------------------------------------------------ */

/* Registers that a snippet may change: the addresses in x0 to x4 stay. */
static u32 rt(void)
{
	return 5 + (u32)below(27);
}

static bool harmful(u32 key)
{
	switch (key) {
	case 0xc080:            /* SCTLR_EL1 */
	case 0xc100: case 0xc102: /* TTBR0_EL1, TCR_EL1 */
	case 0xc510: case 0xc518: /* MAIR_EL1, AMAIR_EL1 */
	case 0xc600:            /* VBAR_EL1 */
	case 0xc663:            /* ICC_BPR1_EL1: QEMU 7.2 aborts if bits above the field hide that the field is 0 */
		return true;
	}
	return false;
}

static u32 system_register(void)
{
	u32 key, read = (u32)below(2);

	do {
		key = 0x4000 + (u32)below(0xc000);
		if (below(2))
			key = 0xc000 | (u32)below(2) * 0x1800 | (u32)below(16) << 7 | (u32)below(16) << 3 | (u32)below(8);
	} while (!read && harmful(key));
	return 0xd5000000u | read << 21 | (key >> 14 & 3) << 19 | (key >> 11 & 7) << 16 | (key >> 7 & 15) << 12 |
	       (key >> 3 & 15) << 8 | (key & 7) << 5 | (below(4) || key >> 14 != 1 ? rt() : 1 + (u32)below(4));
}

static u32 memory(void)
{
	u32 size = (u32)below(4) << 30, rn = 1 + (u32)below(4), vector = below(6) ? 0 : 1u << 26;

	switch (below(8)) {
	case 0: /* pairs */
		return 0x28000000u | (u32)below(3) << 30 | vector | (u32)below(4) << 23 | (u32)below(2) << 22 |
		       (u32)below(128) << 15 | rt() << 10 | rn << 5 | rt();
	case 1: /* exclusives, acquire, release, CAS */
		return 0x08000000u | size | (u32)below(8) << 21 | rt() << 16 | (u32)below(2) << 15 | rt() << 10 | rn << 5 | rt();
	case 2: /* unscaled, post- and pre-indexed, unprivileged */
		return 0x38000000u | size | vector | (u32)below(4) << 22 | (u32)below(512) << 12 | (u32)below(4) << 10 | rn << 5 | rt();
	case 3: /* atomics */
		return 0x38200000u | size | (u32)below(4) << 22 | rt() << 16 | (u32)below(16) << 12 | rn << 5 | rt();
	case 4: /* SIMD structures */
		return 0x0c000000u | (u32)below(2) << 30 | (u32)below(2) << 22 | (u32)below(16) << 12 | (u32)below(4) << 10 | rn << 5 | rt();
	}
	return 0x39000000u | size | vector | (u32)below(4) << 22 | rn << 5 | rt(); /* mostly with a syndrome */
}

/* Operations on the address in x1 to x4. */
static u32 maintenance(void)
{
	static const u32 ops[] = {
		0xd50b7420, 0xd5087620, 0xd50b7a20, 0xd50b7b20, 0xd50b7e20, 0xd50b7520, 0xd5087800, 0xd5087820, 0xd5087840,
		0xd5087860, 0xd5087640, 0xd5087a40, 0xd5087e40, 0xd508831f, 0xd508871f, 0xd5088720, 0xd508751f, 0xd508711f,
	};
	u32 op = ops[below(ARRAY_SIZE(ops))];

	return (op & 31) == 31 ? op : op | (1 + (u32)below(4));
}

static u32 other(void)
{
	static const u32 ops[] = {
		0xd503203f, 0xd503205f, 0xd503209f, 0xd5033fdf, 0xd5033f9f, 0xd42000a0, 0xd4400000, 0x00000000,
		0xd50347ff, 0xd50342ff, 0x910007ff, 0xf94003e9, 0xd50040bf, 0x1e602820, 0x4ea11c20, 0xd5034fdf, 0x9e670020,
		0x04205020, 0xd503401f, 0xdac10020, 0xd50320ff,
	};

	if (self()->may_sleep && below(8) == 0)
		return 0xd503207f; /* WFI */
	if (below(3) == 0)
		return (below(2) ? 0xd4000002u : 0xd4000003u) | (below(8) ? 0 : (u32)below(0x10000) << 5); /* HVC, SMC */
	return ops[below(ARRAY_SIZE(ops))];
}

static u32 instruction(void)
{
	switch (below(8)) {
	case 0: case 1: return system_register();
	case 2: return maintenance();
	case 3: return other();
	}
	return memory();
}

static u64 function(void)
{
	static const u32 bases[] = { 0, 0x80000000, 0xc0000000, 0x84000000, 0xc4000000, 0x86000000, 0x8600ff00, 0xc5000020 };
	u64 id = bases[below(ARRAY_SIZE(bases))] + below(32);

	switch (id & 0xbfffffff) {
	case 1: /* DUMP_LOG: prints for minutes */
	case 0x84000001: case 0x84000002: case 0x84000008: case 0x84000009: case 0x8400000e: case 0x84000012:
		id = 4; /* these end the run, or sleep */
	}
	return below(16) ? id : id | rnd() << 32;
}

/* ---- the guest's own state --------------------------------------------------------------------------------------- */

static void set_mmu(bool on)
{
	cpu_set_sysreg(sctlr_el1, on ? 0x30d00800UL | 1 | BIT(4) | BIT(14) | BIT(15) | BIT(16) | BIT(18) | BIT(26) :
		       0x30d00800UL);
	asm volatile("tlbi vmalle1; dsb ish; isb" : : : "memory");
	self()->mmu = on;
}

/*
 * Controls with which EL0, its timer dead, could run for ever: EL1 keeps the interrupt controller and restores the
 * timer (restore()).
 */
static bool ends_rounds(u64 pa)
{
	return pa >> 21 == 0x08000000 >> 21;
}

static void make_tables(void)
{
	u64 block = 1 | BIT(10) | 1 << 2; /* Normal, non-cacheable */

	for (u64 i = 0; i < 512; i++) {
		u64 el0 = ends_rounds(i << 21) ? 0 : BIT(6);

		devices[i] = (i << 21) | 1 | BIT(10) | el0 | BIT(53) | BIT(54);
		unaligned[i] = (i << 21) | block | el0 | BIT(53) | BIT(54);
		l2[i] = (0x40000000 + (i << 21)) | block | (i < 32 ? BIT(54) : i == 64 ? BIT(6) : BIT(6) | BIT(53) | BIT(54));
	}
	l1[0] = (u64)devices | 3;
	l1[1] = (u64)l2 | 3;
	l1[3] = (u64)unaligned | 3;
	l1[4] = (u64)chaos | 3;
	l1[5] = 0x140000000UL | block | BIT(6);
	l1[6] = 0x09000000 | 3;          /* tables at addresses without memory: walks that fault at stage 2 */
	l1[7] = 0x8000000000UL | 3;
	l1[9] = 0x40000000 | block | BIT(53) | BIT(54);
}

static void use_tables(void)
{
	cpu_set_sysreg(mair_el1, 0x44UL << 8);
	cpu_set_sysreg(tcr_el1, 25UL | 1UL << 23 | 2UL << 32);
	cpu_set_sysreg(ttbr0_el1, (u64)l1);
}

/* Output addresses: devices, beyond RAM, or DATA; tables at addresses without memory. */
static void make_chaos(void)
{
	for (unsigned n = 0; n < 8; n++) {
		u64 to = below(3) ? device() : below(2) ? DATA : 0x70000000 + below(1UL << 36);
		u64 bits = (rnd() & 0xfff0000000000ffcUL) | below(4);

		if (ends_rounds(to))
			bits &= ~BIT(6);
		chaos[below(512)] = (bits & 3) == 3 ? (device() & ~0xfffUL) | bits : (to & ~0x1fffffUL) | bits;
	}
	asm volatile("dsb ish; tlbi vmalle1is; dsb ish; isb" : : : "memory");
}

/* Makes the interrupts pending for which CPUs wait; the last one that begins to wait does it for all. */
static void wake_others(void)
{
	for (u64 i = 0; i < n_cpus; i++) {
		u64 sgi = FRAME(i) + 0x10000;

		cpu_write(FRAME(i) + 0x14, 2, 0);       /* GICR_WAKER */
		cpu_write(sgi + 0x80, 2, ~0u);          /* GICR_IGROUPR0 */
		for (u64 j = 0; j < 7; j++)
			cpu_write(sgi + 0x400 + 4 * j, 2, 0x80808080); /* GICR_IPRIORITYRn */
		cpu_write(sgi + 0x100, 2, 1u << 27 | RESCUE);   /* GICR_ISENABLER0 */
	}
	cpu_set_sysreg(icc_sgi1r_el1, 1UL << 40 | below(16) << 24);     /* to all the others */
}

/* Sets up the interrupt controller for a timer at EL0, from any state. */
static void make_gic(void)
{
	u64 mine = FRAME(number()), sgi = mine + 0x10000;

	cpu_write(0x08000000, 2, 0x12);         /* GICD_CTLR: ARE_NS, EnableGrp1 */
	cpu_write(mine + 0x14, 2, 0);           /* GICR_WAKER */
	cpu_write(sgi + 0x180, 2, ~0u);         /* GICR_ICENABLER0 */
	cpu_write(sgi + 0x280, 2, ~0u);         /* GICR_ICPENDR0 */
	cpu_write(sgi + 0x380, 2, ~0u);         /* GICR_ICACTIVER0 */
	for (u64 i = 1; i < 4; i++) {
		cpu_write(0x08000180 + 4 * i, 2, ~0u);
		cpu_write(0x08000280 + 4 * i, 2, ~0u);
		cpu_write(0x08000380 + 4 * i, 2, ~0u);
	}
	cpu_write(sgi + 0x80, 2, ~0u);          /* GICR_IGROUPR0 */
	cpu_write(sgi + 0x418, 2, 0x80808080);  /* GICR_IPRIORITYR6 */
	cpu_write(sgi + 0x100, 2, 1u << 27);    /* GICR_ISENABLER0 */
	cpu_set_sysreg(S3_0_C12_C8_4, 0);       /* ICC_AP0R0_EL1 */
	cpu_set_sysreg(S3_0_C12_C9_0, 0);       /* ICC_AP1R0_EL1 */
	cpu_set_sysreg(S3_0_C12_C12_4, 0);      /* ICC_CTLR_EL1 */
	cpu_set_sysreg(S3_0_C4_C6_0, 0xff);     /* ICC_PMR_EL1 */
	cpu_set_sysreg(S3_0_C12_C12_7, 1);      /* ICC_IGRPEN1_EL1 */
	if (n_cpus > 1)
		wake_others();
}

static void end_interrupts(void)
{
	cpu_set_sysreg(cntv_ctl_el0, 0);
	for (unsigned i = 0; i < 8; i++) {
		u64 id = cpu_sysreg(S3_0_C12_C12_0); /* ICC_IAR1_EL1 */

		if (id >= 1020)
			break;
		cpu_set_sysreg(S3_0_C12_C12_1, id);  /* ICC_EOIR1_EL1 */
	}
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

static u64 visible(u64 ram)
{
	return self()->mmu ? ram - 0x40000000 + LINEAR : ram;
}

static void registers(u64 x[31])
{
	for (unsigned i = 0; i < 31; i++)
		x[i] = rnd() >> below(64);
	x[0] = function();
	for (unsigned i = 1; i < 5; i++)
		x[i] = address();
	if (!below(2))
		x[2] = below(2) ? below(64) : below(2) ? 0x30000000 - below(4) : ~0UL - below(8);
}

static void round_el1(void)
{
	u64 at = CODE_EL1 + number() * 0x1000, n = 1 + below(8), x[31];
	volatile u32 *code = (volatile u32 *)visible(at);
	struct self *me = self();

	me->may_sleep = below(16) == 0;
	if (me->may_sleep) {
		make_gic();
		cpu_set_sysreg(cntv_tval_el0, 20000);
		cpu_set_sysreg(cntv_ctl_el0, 1);
		n = 1; /* nothing that turns the timer off */
	}
	for (u64 i = 0; i < n; i++)
		code[i] = instruction();
	code[n] = SVC;
	asm volatile("dsb sy; ic iallu; dsb sy; isb" : : : "memory");
	registers(x);
	cpu_set_sysreg(sp_el0, DATA + below(16));
	run(x, at, below(4) ? SPSR_EL1H : SPSR_EL1H_I);
	me->may_sleep = false;
	end_interrupts();
}

static void round_el0(void)
{
	u64 at = CODE_EL0 + number() * 0x1000;
	volatile u32 *code = (volatile u32 *)visible(at);
	bool narrow = below(3) == 0;
	u64 x[31];

	for (u64 i = 0; i < 48; i++)
		code[i] = narrow || below(2) ? (u32)rnd() : instruction();
	if (narrow && below(2)) /* CP15 and CP14 in the forms of compilers */
		for (u64 i = 0; i < 8; i++)
			code[i] = 0xee100e10 | (u32)(rnd() & 0x001ff1ef) | (below(2) ? 0x100 : 0);
	code[48] = narrow ? 0xef000000 : SVC;
	asm volatile("dsb sy; ic iallu; dsb sy; isb" : : : "memory");
	registers(x);
	if (below(2))
		x[1 + below(4)] = CODE_EL0 + below(n_cpus) * 0x1000 + below(0x100); /* its own code, or another CPU's */
	make_gic();
	cpu_set_sysreg(sp_el0, DATA + below(0x1000));
	cpu_set_sysreg(cntv_tval_el0, 20000);
	cpu_set_sysreg(cntv_ctl_el0, 1);
	run(x, at, narrow ? 0x10 | below(2) << 5 | (rnd() & 0xf0000000) : rnd() & 0xf0000000);
	end_interrupts();
}

static u64 decisions(void)
{
	return cpu_hvc(HV_GET_STATUS, 0, 0, 0);
}

/* Accesses that are one decision each: EL2 must have counted as many. */
static void tally(void)
{
	u64 n = 0, before = decisions(), after;

	for (u64 todo = 1 + below(32); todo; todo--, n++)
		switch (below(4)) {
		case 0: cpu_hvc(0x86000001 + below(64), 0, 0, 0); break;
		case 1: cpu_smc(0x86000001 + below(64), 0, 0, 0); break;
		case 2: cpu_read(0x09000018, 2); break;
		default: cpu_write(0x080b0400, 0, below(256)); break;
		}
	after = decisions();
	self()->tallies++;
	if (after - before - 1 != n)
		self()->wrong++;
}

/*
 * PSCI among CPUs. With an odd seed only the first CPU turns others on, and must be obeyed if they are off. With an
 * even one all CPUs do, against each other.
 */
static void psci(void)
{
	u64 other = below(n_cpus), was = cpu_hvc(PSCI_AFFINITY_INFO_64, other, 0, 0), me = number();
	s64 said;

	if (was != IS_ON && (was != IS_OFF || !other || other == me))
		self()->wrong++;
	if (me && below(8) == 0) {
		cpu_hvc(PSCI_CPU_OFF, 0, 0, 0);
		self()->wrong++; /* the first is always on */
	}
	if (me && FUZZ_SEED % 2 && other)
		return;
	said = (s64)(below(2) ? cpu_hvc(PSCI_CPU_ON_64, other, (u64)second, 0) : cpu_smc(PSCI_CPU_ON_64, other, (u64)second, 0));
	if (other == me || !other ? said != ALREADY_ON : said && (said != ALREADY_ON || (FUZZ_SEED % 2 && was == IS_OFF)))
		self()->wrong++;
	if (below(8) == 0) {
		make_gic();
		cpu_set_sysreg(cntv_tval_el0, 20000);
		cpu_set_sysreg(cntv_ctl_el0, 1);
		cpu_hvc(PSCI_CPU_SUSPEND_64, below(2) << 16, (u64)second, 0);
		end_interrupts();
	}
}

static void restore(void)
{
	cpu_set_sysreg(cpacr_el1, below(8) ? 3UL << 20 : rnd() & 0x13330000);
	cpu_set_sysreg(mdscr_el1, 0);
	cpu_set_sysreg(cntkctl_el1, 0x203);
	cpu_set_sysreg(cntv_ctl_el0, 0);
	if (below(64) == 0)
		make_gic();
}

/* Vectors that cannot be fetched: exceptions without end. EL2 must not change. */
static void storm(void)
{
	say("fuzz: storm\n");
	cpu_set_sysreg(vbar_el1, 0x0c000000);
	asm volatile("udf #0");
}

static bool key_waits(void)
{
	return !(cpu_read(0x09000018, 2) & 0x10);       /* UARTFR.RXFE */
}

/* Floods chosen by the operator's keys, each until the next key; 5 does not read keys. */
static void floods(void)
{
	static const char text[] = "a line without an end ";

	cpu_write(0x08000000, 2, 2);                    /* GICD_CTLR: group 1 */
	cpu_write(0x080b0080, 2, ~0UL);                 /* GICR_IGROUPR0, GICR_ISENABLER0 */
	cpu_write(0x080b0100, 2, 0xffff);
	cpu_write(0x09000030, 2, 0x301);                /* UARTCR: receiver on, so that typed bytes are not the monitor's */
	cpu_hvc(0x9000abcd, 0, 0, 0);                   /* refused once: the log must have it at the end */
	say("fuzz: floods\n");
	for (;;) {
		u64 kind = key_waits() ? cpu_read(0x09000000, 2) : 0, n = 0;

		if (kind - '1' > 4)
			continue;
		say("\nfuzz: flood\n");
		do {
			switch (kind) {
			case '1': cpu_hvc(HV_GET_ID, 0, 0, 0); break;
			case '2': cpu_hvc(HV_CONSOLE_WRITE, (u64)text, sizeof(text) - 1, 0); break;
			case '3': cpu_hvc(0x90000000 + n % 4096, 0, 0, 0); break;
			case '4': cpu_set_sysreg(icc_sgi1r_el1, 1 | n % 16 << 24); break;
			default: for (;;) asm volatile("nop");
			}
		} while (++n % 64 || !key_waits());
	}
}

static u64 total(u64 offset)
{
	u64 n = 0;

	for (u64 i = 0; i < n_cpus; i++)
		n += *(volatile u64 *)((char *)&selves[i] + offset);
	return n;
}

static void rounds(void)
{
	struct self *me = self();

	while (!stop) {
		for (unsigned i = 0; i < 64 && !stop; i++, me->rounds++) {
			if (below(8) == 0)
				make_chaos();
			restore();
			if (n_cpus > 1 && below(16) == 0)
				psci();
			else if (me->mmu && below(4) == 0)
				round_el0();
			else
				round_el1();
		}
		set_mmu(below(4));
		restore();
		tally();
		me->done = decisions();
		if (total(offsetof(struct self, done)) >= FUZZ_COUNT)
			break;
	}
}

/* Entry of a CPU that comes on, for the first time or again. */
void main_again(void)
{
	use_tables();
	self()->mmu = false;
	restore();
	rounds();
	for (;;)
		cpu_hvc(PSCI_CPU_OFF, 0, 0, 0);
}

/* False: a CPU has not returned from its wait. */
static bool all_off(void)
{
	for (unsigned tries = 0; tries < 1000000; tries++) {
		u64 on = 0;

		for (u64 i = 1; i < n_cpus; i++)
			on += cpu_hvc(PSCI_AFFINITY_INFO_64, i, 0, 0) == IS_ON;
		if (!on)
			return true;
		if (tries % 1000 == 0)
			make_gic();
	}
	return false;
}

void main(void)
{
	for (u64 i = 0; i < CPUS; i++)
		selves[i].state = FUZZ_SEED * 2 + 1 + i * 0x9e3779b97f4a7c16UL;
	n_cpus = 1;
	if (FUZZ_STORM == 2)
		floods();
	while (n_cpus < CPUS && (s64)cpu_hvc(PSCI_AFFINITY_INFO_64, n_cpus, 0, 0) >= 0)
		n_cpus++;
	make_tables();
	use_tables();
	rounds();
	stop = true;
	set_mmu(false);
	if (n_cpus > 1 && !all_off()) {
		say("\nfuzz: a CPU did not come back\n");
		cpu_hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
	}
	say("\nfuzz: seed ");
	say_number(FUZZ_SEED);
	say(": ");
	say_number(total(offsetof(struct self, done)));
	say(" decisions in ");
	say_number(total(offsetof(struct self, rounds)));
	say(" rounds, ");
	say_number(total(offsetof(struct self, tallies)));
	say(total(offsetof(struct self, wrong)) ? " tallies, NOT KEPT: " : " tallies kept, ");
	say_number(total(offsetof(struct self, wrong)));
	say(" wrong, CPUs: ");
	say_number(n_cpus);
	say("\n");
	if (FUZZ_STORM == 1)
		storm();
	cpu_hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
	cpu_smc(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		asm volatile("wfi");
}
