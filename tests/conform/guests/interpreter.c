/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the programs that programs.py put into the image: steps of up to four CPUs, one after the other, on a GIC that
 * is reset before each. A program's readings are hashed, or printed if the first word of the image asks for it; the
 * word also says whether steps are left out that would meet a difference which differences.txt explains.
 */
#include "lib.h"

struct step {
	u8 cpu, what;
	u16 at;
	u32 value;
};
enum what {
	END, DIST_WRITE, DIST_BYTE, ROUTE, DIST_READ, REDIST_WRITE, REDIST_BYTE, REDIST_READ, CPU_WRITE, CPU_READ, TAKE, FINISH,
	DEACTIVATE, SEND, TIMER, LINE, OFF, ON, UNMASK, ROUTE_READ, NEST, SLEEP,
};
extern const u32 header[]; /* SAY and AVOID; CPUs */
extern const struct step programs[];
asm(".section .rodata\n.balign 8\n.global header\nheader: .incbin \"" PROGRAMS "\"\n.set programs, header + 8\n.global programs\n"
    ".balign 8\n.previous");

#define SAY   1
#define AVOID 2
#define CPUS  4
/* Interrupts of the programs: two without a wire, the PMU's and the timers'. */
#define PPIS (BIT(20) | BIT(22) | BIT(23) | BIT(27) | BIT(30))
#define RTC   0x09010000UL
#define SEEN (0xffff | PPIS)

/* Interrupts that a CPU has acknowledged, the last one on top; and those that wait for ICC_DIR_EL1. */
static struct stack {
	u32 n, irq[64];
} taken[CPUS], dropped;
static volatile struct {
	u64 step, done;
	volatile u32 up, off;
} box[CPUS];
static u32 cpus, program, reads;
static bool verbose, avoids;
static u64 hash;

static void found(u64 v)
{
	hash = (hash ^ v) * 0x100000001b3UL;
	if (verbose) {
		say("= p");
		hex(program);
		put('.');
		hex(reads);
		put(' ');
		hex(v);
		put('\n');
	}
	reads++;
}

/* Otherwise the group and number of an acknowledged interrupt would be open. */
static u32 acknowledged(u32 word)
{
	u32 v = 0;

	for (u32 i = 0; i < CPUS && avoids; i++)
		for (u32 k = 0; k < taken[i].n; k++)
			if ((taken[i].irq[k] & 0xffff) / 32 == word)
				v |= 1u << taken[i].irq[k] % 32;
	return v;
}

/* A physical line may have fallen: the guest that asks is told. */
static void ask(void)
{
	if (avoids)
		(void)mrs(S3_0_C12_C12_2);
}

static void cpu_write(u32 which, u64 v)
{
	switch (which) {
	case 0: msr(S3_0_C4_C6_0, v); break;
	case 1: msr(S3_0_C12_C8_3, v); break;
	case 2: msr(S3_0_C12_C12_3, v); break;
	case 3: msr(S3_0_C12_C12_4, v); break;
	case 4: msr(S3_0_C12_C12_6, v); break;
	case 5: msr(S3_0_C12_C12_7, v); break;
	}
}

static u64 cpu_read(u32 which)
{
	switch (which) {
	case 0: return mrs(S3_0_C4_C6_0);
	case 1: return mrs(S3_0_C12_C8_3);
	case 2: return mrs(S3_0_C12_C12_3);
	case 3: return mrs(S3_0_C12_C12_4) & 3; /* EOImode, CBPR */
	case 4: return mrs(S3_0_C12_C12_6);
	case 5: return mrs(S3_0_C12_C12_7);
	case 6: return mrs(S3_0_C12_C11_3);     /* RPR */
	case 7: return mrs(S3_0_C12_C8_2);      /* HPPIR0, HPPIR1 */
	case 8: return mrs(S3_0_C12_C12_2);
	case 9: return mrs(S3_0_C12_C8_4);      /* AP0R0, AP1R0 */
	case 10: return mrs(S3_0_C12_C9_0);
	case 11:
		ask();
		return mrs(isr_el1) & 0xc0;
	case 12: return mrs(S3_0_C12_C12_4);
	}
	return 0;
}

/* `state`: off, due, masked, far away. */
static void timer(u32 physical, u32 state)
{
	u64 at = state == 3 ? mrs(cntvct_el0) + BIT(40) : 0, control = state == 0 ? 0 : state == 2 ? 3 : 1;

	if (physical) {
		msr(cntp_cval_el0, at);
		msr(cntp_ctl_el0, control);
	} else {
		msr(cntv_cval_el0, at);
		msr(cntv_ctl_el0, control);
	}
}

/* Of the UART, which always may send; of the clock, which is at its alarm; of this CPU's PMU, whose counter 0 overflows. */
static void line(u32 which, bool up)
{
	if (which == 0)
		w32(UART + 0x38, up ? 0x20 : 0);
	else if (which == 1)
		w32(RTC + 0x10, up);
	else if (up)
		msr(pmovsset_el0, 1);
	else
		msr(pmovsclr_el0, ~0UL);
}

/* The active priorities are put aside, as before a suspend, and come back behind an interrupt that is taken meanwhile. */
static void nest(void)
{
	u64 ap0 = mrs(S3_0_C12_C8_4), ap1 = mrs(S3_0_C12_C9_0), irq;

	msr(S3_0_C12_C8_4, 0);
	msr(S3_0_C12_C9_0, 0);
	irq = mrs(S3_0_C12_C12_0);
	found(irq);
	found(mrs(S3_0_C12_C11_3));
	if (irq < 1020) {
		msr(S3_0_C12_C12_1, irq);
		if (mrs(S3_0_C12_C12_4) & 2)
			msr(S3_0_C12_C11_1, irq);
	}
	msr(S3_0_C12_C8_4, ap0);
	msr(S3_0_C12_C9_0, ap1);
}

/* A CPU's own set-up before each program and when it is turned on. */
static void fresh(u32 me)
{
	msr(S3_0_C12_C12_5, 7);
	msr(S3_0_C12_C12_4, 0);
	msr(S3_0_C4_C6_0, 0xff);
	msr(S3_0_C12_C8_3, 0);
	msr(S3_0_C12_C12_3, 0);
	msr(S3_0_C12_C8_4, 0);
	msr(S3_0_C12_C9_0, 0);
	msr(S3_0_C12_C12_6, 1);
	msr(S3_0_C12_C12_7, 1);
	timer(0, 0);
	timer(1, 0);
	line(2, false);
	msr(pmintenset_el1, 1);
	msr(pmcr_el0, 1);
	taken[me].n = 0;
}

static void reset_local(u32 me)
{
	u64 sgi = SGI(me);

	fresh(me);
	w32(sgi + 0x180, ~0u);
	w32(sgi + 0xc04, 0);
	w32(sgi + 0x380, ~0u);
	w32(sgi + 0x280, ~0u);
	w32(sgi + 0x80, ~0u);
	for (u32 i = 0; i < 32; i += 4)
		w32(sgi + 0x400 + i, 0xf8f8f8f8);
}

static void act(u32 me, const struct step *s)
{
	u64 sgi = SGI(s->at >> 12 & 3);
	u32 at = s->at & 0xfff, v = s->value;
	struct stack *stack = &taken[me];

	switch (s->what) {
	case DIST_WRITE:
		if ((at & ~0x7fu) == 0x300 || ((at & ~0x7fu) == 0x380 && cpus > 1))
			v &= ~acknowledged(at % 0x80 / 4);
		w32(GICD + at, v);
		break;
	case DIST_BYTE: w8(GICD + at, v); break;
	case ROUTE: w64(GICD + 0x6000 + 8 * at, v); break;
	case DIST_READ: found(r32(GICD + at)); break;
	case REDIST_WRITE:
		if (at == 0x300)
			v &= ~acknowledged(0);
		w32(sgi + at, v);
		break;
	case REDIST_BYTE: w8(sgi + at, v); break;
	case REDIST_READ: found(r32(sgi + at) & SEEN); break;
	case CPU_WRITE: /* binary points stay while an interrupt is active: programs.py says why */
		if (stack->n && avoids && s->at == 3)
			v = (v & 2) | (mrs(S3_0_C12_C12_4) & 1);
		if (!stack->n || !avoids || (s->at != 1 && s->at != 2))
			cpu_write(s->at, v);
		break;
	case CPU_READ: found(cpu_read(s->at)); break;
	case TAKE:
		v = (u32)(s->at ? mrs(S3_0_C12_C12_0) : mrs(S3_0_C12_C8_0));
		found(v);
		if (v < 1020 && stack->n < 64)
			stack->irq[stack->n++] = v | (u32)s->at << 16;
		break;
	case FINISH:
		if (!stack->n)
			break;
		v = stack->irq[--stack->n];
		if (v >> 16)
			msr(S3_0_C12_C12_1, v & 0xffff);
		else
			msr(S3_0_C12_C8_1, v & 0xffff);
		if (mrs(S3_0_C12_C12_4) & 2 && dropped.n < 64)
			dropped.irq[dropped.n++] = (v & 0xffff) | me << 16;
		break;
	case DEACTIVATE: /* an SPI on any CPU that took it, others on their own */
		for (u32 i = 0, k = v; i < dropped.n; i++, k++) {
			u32 irq = dropped.irq[k % dropped.n];

			if ((irq & 0xffff) < 32 && irq >> 16 != me)
				continue;
			dropped.irq[k % dropped.n] = dropped.irq[dropped.n - 1];
			dropped.n--;
			msr(S3_0_C12_C11_1, irq & 0xffff);
			break;
		}
		break;
	case SEND: {
		static const u64 nobody[] = { 0, 1UL << 16, 1UL << 32, 1UL << 48 }; /* Aff1 to Aff3 */
		u64 sgi1r = (v & 0xf) | (u64)(v >> 16 & 0xf) << 24 | (u64)(v >> 31) << 40 | nobody[v >> 8 & 3];

		if (s->at == 0)
			msr(S3_0_C12_C11_7, sgi1r);
		else if (s->at == 1)
			msr(S3_0_C12_C11_5, sgi1r);
		else
			msr(S3_0_C12_C11_6, sgi1r);
		break;
	}
	case TIMER: timer(s->at, v); break;
	case LINE: line(s->at, v); break;
	case ROUTE_READ: found(r64(GICD + 0x6000 + 8 * at)); break;
	case NEST: nest(); break;
	case SLEEP: /* where something wakes it */
		ask();
		if (mrs(isr_el1) & 0xc0)
			asm volatile("wfi");
		break;
	case UNMASK: {
		u64 before = interrupts;

		ask();
		asm volatile("msr daifclr, #3\n\tisb\n\tnop\n\tnop\n\tmsr daifset, #3" : : : "memory");
		found(interrupts - before);
		break;
	}
	case OFF:
		taken[me].n = 0;
		hvc(0x84000002, 0, 0, 0);
		break;
	}
}

/* A step of another CPU: waits until it is done. */
static void give(u32 cpu, u64 step)
{
	u64 was = box[cpu].done;

	box[cpu].step = step;
	asm volatile("dsb sy; sev");
	while (box[cpu].done == was)
		asm volatile("yield");
}

void main1(u64 me)
{
	fresh((u32)me);
	asm volatile("dsb sy");
	box[me].up = 1;
	for (;;) {
		u64 s;

		while (!(s = box[me].step))
			asm volatile("yield");
		box[me].step = 0;
		if (s == 1)
			reset_local((u32)me);
		else
			act((u32)me, (const struct step *)s);
		asm volatile("dsb sy");
		box[me].done++;
		asm volatile("dsb sy");
	}
}

static void turn_on(u32 cpu)
{
	if (box[cpu].up)
		return;
	box[cpu].step = 0;
	hvc(0xc4000003, cpu, (u64)second, cpu);
	while (!box[cpu].up)
		asm volatile("yield");
}

static void turn_off(u32 cpu, const struct step *s)
{
	if (!cpu || !box[cpu].up)
		return;
	box[cpu].up = 0;
	box[cpu].step = (u64)s;
	while (hvc(0xc4000004, cpu, 0, 0) != 1)
		asm volatile("yield");
}

static void one(u32 cpu, const struct step *s)
{
	if (cpu == 0)
		act(0, s);
	else if (box[cpu].up)
		give(cpu, (u64)s);
}

static void reset(void)
{
	line(0, false);
	line(1, false);
	w32(GICD, 0x10);
	for (u32 word = 1; word < 4; word++) {
		w32(GICD + 0x180 + 4 * word, ~0u);
		w32(GICD + 0x380 + 4 * word, ~0u);
	}
	dropped.n = 0;
	for (u32 i = 0; i < cpus; i++) {
		if (i)
			turn_on(i);
		if (i)
			give(i, 1);
		else
			reset_local(0);
	}
	for (u32 word = 1; word < 4; word++) {
		w32(GICD + 0xc00 + 8 * word, 0);
		w32(GICD + 0xc04 + 8 * word, 0);
		w32(GICD + 0x280 + 4 * word, ~0u);
		w32(GICD + 0x80 + 4 * word, ~0u);
	}
	for (u32 irq = 32; irq < 128; irq++) {
		w8(GICD + 0x400 + irq, 0xf8);
		w64(GICD + 0x6000 + 8 * irq, 0);
	}
	w32(GICD, 0x13);
	hash = 0xcbf29ce484222325UL;
	reads = 0;
}

static void everything(void)
{
	static const u16 of_dist[] = { 0, 0x84, 0x8c, 0x104, 0x10c, 0x204, 0x20c, 0x304, 0x30c, 0xc08 };
	static const u16 of_cpu[] = { 0x80, 0x100, 0x200, 0x300 };
	struct step s = { 0 };

	for (u32 i = 0; i < cpus; i++) {
		s.what = REDIST_READ;
		for (u32 k = 0; k < sizeof(of_cpu) / 2; k++) {
			s.at = (u16)(of_cpu[k] | i << 12);
			act(0, &s);
		}
		s.what = CPU_READ;
		for (s.at = 6; s.at < 12; s.at++)
			one(i, &s);
	}
	s.what = DIST_READ;
	for (u32 k = 0; k < sizeof(of_dist) / 2; k++) {
		s.at = of_dist[k];
		act(0, &s);
	}
}

void main(void)
{
	const struct step *s = programs;

	verbose = header[0] & SAY;
	avoids = header[0] & AVOID;
	cpus = header[1];
	put('\n'); /* the transmit interrupt is raised from now on: UARTIMSC is its line */
	w32(RTC + 4, r32(RTC));
	for (program = 0; s->what != 0xff; program++) {
		reset();
		for (; s->what != END; s++)
			if (s->what == OFF)
				turn_off(s->cpu, s);
			else if (s->what == ON)
				turn_on(s->cpu);
			else
				one(s->cpu, s);
		s++;
		everything();
		say("= p");
		hex(program);
		put(' ');
		hex(hash);
		put('\n');
	}
	off();
}
