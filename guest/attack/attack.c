/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks with a name: each is tried once, and its outcome printed; fuzz/ has random ones. Runs under
 * tests/qemu/attacked.yaml, on two CPUs of which the second never starts. Ends in HVC_PAUSE, for the operator's looks.
 * FLOODS=1 builds floods.c instead.
 */
#include "cpu.h"
#include "floods.h"
#include "guest.h"
#include "run.h"

_Static_assert(GUEST_IPA == 0x40000000 && GUEST_SIZE == 0x30000000 && GICD_PA == 0x08000000 && GICR_PA == 0x080a0000 &&
	       UART0_PA == 0x09000000 && RTC_PA == 0x09010000, "guest/attack/attack.c has the addresses of qemu-virt as numbers");

#define OUT      0x50000000UL    /* written by snippets */
#define SECRET   0x50001000UL    /* mapped for EL1 alone */
#define EL0      0x40000000UL    /* offset of a mapping of RAM for EL0 */
#define ABOVE    0xc0000000UL    /* IPA 1 << 40 and up */
#define WALKED   0x100000000UL   /* mapped by a table that lies in the UART */
#define UNALIGNED 0x140000000UL  /* devices, mapped as Normal memory */
#define PAIR     0x0b000000UL    /* reads of a register that is zero, then 0xc0ffee */
#define UART_FR  0x09000018UL

#define EL1H     0x3c5UL
#define EL0T     0x3c0UL
#define A32      0x400001d0UL    /* with PSTATE.Z set */
#define T32      0x400001f0UL

#define VECTOR(end) ((end) >> 32)
#define EC(end)     ((end) >> 26 & 0x3f)
#define FROM_EL1 4               /* exception vectors */
#define FROM_EL0 8
#define FROM_A32 12

void main(void);
extern const u32 zero[], zero_x7[], clean[], zero_par[], load[], load_pair[], store_exclusive[], store_writeback[], jump[],
	call_hyp[], call_monitor[], call_immediate[], return_to[], step_over[], load_short[], it_block[], it_block_wide[],
	conditional[], load_sp[], load_many[], call_hyp32[], call_monitor32[];

static u64 l1[512] __attribute__((aligned(4096)));
static u32 failed;

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static void say(const char *text)
{
	u64 n = 0;

	while (text[n])
		n++;
	cpu_hvc(4, (u64)text, n, 0);
}

static void say_hex(u64 v)
{
	static char text[19] = "0x";

	for (unsigned i = 0; i < 16; i++)
		text[2 + i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
	say(text);
}

static void check(const char *name, bool held, u64 got)
{
	failed += !held;
	say("attack: ");
	say(name);
	say(held ? ": held" : ": FAILED ");
	if (!held)
		say_hex(got);
	say("\n");
}

/* ---- trying ------------------------------------------------------------------------------------------------------ */

static u64 attempt(const u32 *code, u64 spsr, u64 x0, u64 x1, u64 x2)
{
	u64 x[31] = { x0, x1, x2 }, alias = spsr & 0xf ? 0 : EL0;

	x[4] = OUT + alias;
	*(volatile u64 *)OUT = 0;
	asm volatile("dsb sy" : : : "memory");
	return run(x, (u64)code + alias, spsr);
}
static u64 left(unsigned n)
{
	return ((volatile u64 *)OUT)[n];
}
static u64 far(void)
{
	return cpu_sysreg(far_el1);
}
static u64 decisions(void)
{
	return cpu_hvc(2, 0, 0, 0);
}

static void make_tables(void)
{
	u64 ram = 1 | BIT(10) | 3 << 8 | 1 << 2, device = 1 | BIT(10) | BIT(6) | BIT(53) | BIT(54);

	l1[0] = device;
	l1[1] = 0x40000000 | ram | BIT(54);
	l1[2] = 0x40000000 | ram | BIT(6) | BIT(53);
	l1[3] = 1UL << 40 | device;
	l1[4] = 0x09000000 | 3;
	l1[5] = device | 1 << 2;
	cpu_set_sysreg(mair_el1, 0x44UL << 8);
	cpu_set_sysreg(tcr_el1, 25UL | 1UL << 23 | 4UL << 32 | 1UL << 37); /* IPS: 44 bits; TBI0 */
	cpu_set_sysreg(ttbr0_el1, (u64)l1);
	asm volatile("dsb sy; tlbi vmalle1; dsb sy; isb" : : : "memory");
	/* M; DZE, UCT, UCI: EL0 has its cache instructions */
	cpu_set_sysreg(sctlr_el1, 0x30d00800UL | 1 | BIT(14) | BIT(15) | BIT(26));
	cpu_set_sysreg(cpacr_el1, 3UL << 20);
}

/* ---- odd PC and PSTATE ------------------------------------------------------------------------------------------- */

static void places(void)
{
	volatile u32 *last = (volatile u32 *)0x6ffffffc;
	u64 end;

	*last = call_hyp[0];
	asm volatile("dsb sy; ic iallu; dsb sy; isb" : : : "memory");
	end = attempt((const u32 *)last, EL1H, 0, 0, 0);
	check("a call in the last word of RAM", EC(end) == 0x21 && cpu_sysreg(elr_el1) == 0x70000000 && far() == 0x70000000, end);
	*last = 0xd5381020; /* mrs x0, actlr_el1: refused */
	asm volatile("dsb sy; ic iallu; dsb sy; isb" : : : "memory");
	end = attempt((const u32 *)last, EL1H, 0, 0, 0);
	check("a refused register in the last word of RAM", EC(end) == 0 && cpu_sysreg(elr_el1) == 0x6ffffffc, end);
	end = attempt(call_hyp, EL1H, 0x86000003, 0, 0);
	check("a call that is undefined", EC(end) == 0 && cpu_sysreg(elr_el1) == (u64)call_hyp, end);
	end = attempt(jump, EL1H, 0, UART_FR, 0);
	check("code in a device", EC(end) == 0x21 && VECTOR(end) == FROM_EL1, end);
	end = attempt(jump, EL1H, 0, (u64)jump + 2, 0);
	check("a PC between two instructions", EC(end) == 0x22, end);
	end = attempt(return_to, EL1H, 0, 0x3c9, 0);
	check("an ERET to EL2", EC(end) == 0x0e && VECTOR(end) == FROM_EL1, end);
	end = attempt(return_to, EL1H, 0, 0x3cd, 0);
	check("an ERET to EL3", EC(end) == 0x0e && VECTOR(end) == FROM_EL1, end);
	end = attempt(return_to, EL1H, 0, 0x1d3, 0);
	check("an ERET to an AArch32 EL1", EC(end) == 0x0e && VECTOR(end) == FROM_EL1, end);
	end = attempt(call_hyp, EL0T, 0, 0, 0);
	check("a call from EL0", EC(end) == 0 && VECTOR(end) == FROM_EL0, end);
	end = attempt(call_monitor, EL0T, 0x84000000, 0, 0);
	check("an SMC from EL0", EC(end) == 0 && VECTOR(end) == FROM_EL0, end);
}

static void steps(void)
{
	u64 end;

	cpu_set_sysreg(mdscr_el1, 1); /* SS */
	cpu_set_sysreg(oslar_el1, 0);
	end = attempt(step_over, EL0T | BIT(21), 0, UART_FR, 0);
	cpu_set_sysreg(mdscr_el1, 0);
	check("a guest that steps over a trap", EC(end) == 0x32 && cpu_sysreg(elr_el1) == (u64)step_over + EL0 + 4,
	      EC(end) << 56 | cpu_sysreg(elr_el1));
}

/* ---- AArch32 at EL0 ---------------------------------------------------------------------------------------------- */

static void narrow(void)
{
	u64 end, before, flags = cpu_read(UART_FR, 2);

	for (unsigned i = 0; i < 2; i++) { /* the second time EL2's lookup cache has its row */
		end = attempt(load_short, T32, 0, UART_FR, 0x55);
		check("a trap of two bytes", EC(end) == 0x11 && left(0) == 1, left(0));
		end = attempt(it_block, T32, 0, UART_FR, 0x55);
		check("a trap inside an IT block", EC(end) == 0x11 && left(0) == 0x55, left(0));
		end = attempt(it_block_wide, T32, 0, UART_FR, 0x55);
		check("a trap of four bytes inside an IT block", EC(end) == 0x11 && left(0) == 0x55, left(0));
	}
	before = decisions();
	end = attempt(conditional, A32, 0x77, UART_FR, 0);
	check("a condition that fails", EC(end) == 0x11 && left(0) == 0x77 && decisions() == before + 1, decisions() - before);
	end = attempt(load_sp, A32, 0, UART_FR, 0);
	check("a load to SP", EC(end) == 0x11 && left(0) == flags, left(0));
	end = attempt(load_many, A32, 0, UART_FR, 0);
	check("a load of two registers", EC(end) == 0x24 && VECTOR(end) == FROM_A32, end);
	end = attempt(call_hyp32, A32, 0, 0, 0);
	check("an AArch32 HVC", EC(end) == 0 && VECTOR(end) == FROM_A32, end);
	end = attempt(call_monitor32, A32, 0, 0, 0);
	check("an AArch32 SMC", EC(end) == 0 && VECTOR(end) == FROM_A32, end);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void memory(void)
{
	volatile u64 *secret = (volatile u64 *)SECRET;
	u64 end, flags = cpu_read(UART_FR, 2);

	*secret = 0x5ec2e7;
	end = attempt(zero, EL0T, 0, SECRET, 0);
	check("EL0 zeroes EL1's memory", *secret == 0x5ec2e7 && (end & 0xffffffff) == 0x9200004d && far() == SECRET, end);
	end = attempt(clean, EL0T, 0, SECRET, 0);
	check("EL0 cleans EL1's memory", (end & 0xffffffff) == 0x9200014d, end);
	end = attempt(zero, EL0T, 0, SECRET + EL0, 0);
	check("EL0 zeroes its own memory", EC(end) == 0x15 && !*secret, end);
	if (cpu_sysreg(id_aa64mmfr1_el1) >> 20 & 0xf) {
		*secret = 0x5ec2e7;
		end = attempt(zero, EL1H | BIT(22), 0, SECRET + EL0, 0);
		check("EL1 zeroes EL0's memory under PAN", EC(end) == 0x25 && *secret == 0x5ec2e7, end);
	}
	end = attempt(zero_x7, EL1H, 0, PAIR, 0);
	check("DC ZVA on a device", (end & 0xffffffff) == 0x96000050 && far() == PAIR, end);
	end = attempt(clean, EL1H, 0, UART_FR, 0);
	check("DC CIVAC on a device", EC(end) == 0x15, end);
	end = attempt(clean, EL1H, 0, 0x72000000, 0);
	check("DC CIVAC on what is behind RAM", EC(end) == 0x15, end);
	attempt(zero_par, EL1H, 0, SECRET, SECRET + 64);
	check("EL2's own AT changes PAR_EL1", left(0) == left(1) && !(left(0) & 1), left(1));
	attempt(load, EL1H, 0, 0xab00000000000000 | UART_FR, 0);
	check("a tagged address", left(0) == flags, left(0));
	attempt(load, EL1H, 0, ABOVE + UART_FR, 0);
	check("a device's alias above the map", left(0) == 0, left(0));
	end = attempt(load, EL1H, 0, WALKED, 0);
	check("a table that is a device", EC(end) == 0x25 && (end & 0x3c) == 0x14, end);
	end = attempt(load, EL1H, 0, UNALIGNED + PAIR + 2, 0);
	check("a load across two registers", EC(end) == 0x25, end);
	end = attempt(load, EL1H, 0, UNALIGNED + 0x3ffffffe, 0);
	check("a load across the windows' end", EC(end) == 0x25, end);
	attempt(load_pair, EL1H, 0, PAIR, 0);
	check("a pair: each half is decided", left(0) == 0 && left(1) == 0xc0ffee, left(1));
	end = attempt(store_exclusive, EL1H, 0, PAIR, 0);
	check("an exclusive", EC(end) == 0x25 || EC(end) == 0x15, end);
	attempt(store_writeback, EL1H, 0, PAIR, 0);
	check("a store with writeback", left(0) == PAIR + 4, left(0));
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static void calls(void)
{
	u64 v;

	attempt(call_immediate, EL1H, 0, 0x84000000, 0);
	check("an immediate", left(0) == ~0UL, left(0));
	v = cpu_hvc(0xdeadbeef84000000, 0, 0, 0);
	check("bits above W0", v == 0x10001, v);
	v = cpu_hvc(1UL << 32 | 4, (u64)"attack: FAILED\n", 15, 0);
	check("bits above one of our own calls", v == ~0UL, v);
	v = cpu_hvc(0x84010000, 0, 0, 0);
	check("a hint bit in a function", v == ~0UL, v);
	v = cpu_smc(0xffffffff, 0, 0, 0);
	check("the last function", v == ~0UL, v);
	v = cpu_hvc(4, 0x6fffffff, 2, 0);
	check("a console write that leaves RAM", v == ~1UL, v);
	v = cpu_hvc(4, 0x40000000, ~0UL - 0x3fffffff, 0);
	check("a console write that wraps", v == ~1UL, v);
	v = cpu_hvc(4, 0x70000000, 0, 0);
	check("a console write of nothing behind RAM", v == 0, v);
	v = cpu_hvc(0xc4000003, 0, 0x40000000, 0);
	check("CPU_ON of itself", v == (u64)-4, v);
	v = cpu_hvc(0xc4000003, 1UL << 32 | 1, 0x40000000, 0) & cpu_hvc(0xc4000003, 2, 0x40000000, 0);
	check("CPU_ON of nobody", v == (u64)-2, v);
	v = cpu_hvc(0xc4000003, 1, 0x70000000, 0) & cpu_hvc(0xc4000003, 1, 0x6ffffffe, 0) & cpu_hvc(0xc4000003, 1, ~3UL, 0);
	check("CPU_ON where no code can be", v == (u64)-9, v);
	v = cpu_hvc(0x84000002, 0, 0, 0);
	check("CPU_OFF of the last one", v == (u64)-3, v);
	v = cpu_hvc(2, 4, 0, 0) & cpu_hvc(2, ~0UL, 0, 0) & cpu_hvc(0, 1UL << 32, 0, 0);
	check("a selector that is none", v == (u64)-2, v);
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

/* EL2's own lines, checksums and all; unpaired surrogates; sequences that a terminal obeys. */
static void records(void)
{
	static const char text[] =
		"\n\036@D 7 0.000000001 ALLOW r1 msr.r FORGED_EL1 pc=0x40 el=1 cost=7 esr=0x0 *99135d66\r\n"
		"\036@Z 9 0.000000001 lost=0 lines=9 FORGED_EL1 *8bb24bd6\r\n"
		"@D 8 0.000000002 DENY r1 msr.r FORGED_EL1 pc=0x40 el=1 cost=7 esr=0x0 *00000000\r\n"
		"\036@B 4 9 AAAA\036\036\037e\037f\037\303\n\342\202\n\377\233\033[2J\033[8mhv> \033[0m\010\177\r"
		"\036";

	cpu_hvc(4, (u64)text, sizeof(text) - 1, 0);
	for (unsigned i = 0; i < sizeof(text) - 1; i++)
		cpu_write(0x09000000, 0, (u8)text[i]);
	cpu_hvc(0x9000abcd, 0, 0, 0); /* refused, in the middle of a guest's line */
	say("\n");
	check("forged records", true, 0); /* the test looks for these */
}

/* ---- debug, counters, timers ------------------------------------------------------------------------------------- */

static void debugging(void)
{
	u64 v;

	cpu_set_sysreg(dbgwvr0_el1, 0);
	cpu_set_sysreg(dbgwcr0_el1, 31UL << 24 | BIT(13) | 3 << 14 | 0xff << 5 | 3 << 3 | 1); /* EL2 alone, 2 GiB */
	cpu_set_sysreg(dbgwvr1_el1, 0);
	cpu_set_sysreg(dbgwcr1_el1, 31UL << 24 | BIT(13) | 1 << 14 | 0xff << 5 | 3 << 3 | 1);
	for (unsigned i = 0; i < 2; i++) {
		cpu_set_sysreg(mdscr_el1, i ? 0xf001 : BIT(15) | BIT(13)); /* MDE, KDE; then TDA, HDE, TDCC and SS too */
		v = cpu_hvc(0, 0, 0, 0);
		check(i ? "every bit of MDSCR_EL1" : "watchpoints on EL2", v == 0x43485452, v);
	}
	cpu_set_sysreg(mdscr_el1, 0);
	cpu_set_sysreg(dbgwcr0_el1, 0);
	cpu_set_sysreg(dbgwcr1_el1, 0);
	cpu_set_sysreg(oslar_el1, 1);
	cpu_set_sysreg(osdlr_el1, 1);
	v = cpu_hvc(0, 0, 0, 0);
	check("both OS locks", v == 0x43485452, v);
	cpu_set_sysreg(osdlr_el1, 0);
	cpu_set_sysreg(oslar_el1, 0);
	cpu_set_sysreg(pmcntenset_el0, ~0UL);
	cpu_set_sysreg(pmintenset_el1, ~0UL);
	cpu_set_sysreg(pmccfiltr_el0, BIT(27)); /* NSH: EL2's cycles, too */
	cpu_set_sysreg(pmccntr_el0, ~0UL - 50);
	cpu_set_sysreg(pmcr_el0, 0x41);
	cpu_set_sysreg(cntv_cval_el0, 0); /* always due, and never ended */
	cpu_set_sysreg(cntv_ctl_el0, 1);
	cpu_set_sysreg(cntkctl_el1, 0x307);
	cpu_write(0x080b0100, 2, ~0u);
	for (unsigned i = 0; i < 1000; i++)
		v = cpu_hvc(0, 0, 0, 0);
	check("interrupts of its own that never end", v == 0x43485452, v);
	cpu_set_sysreg(pmcr_el0, 0);
	cpu_set_sysreg(pmintenclr_el1, ~0UL);
	cpu_set_sysreg(pmovsclr_el0, ~0UL);
	cpu_set_sysreg(cntv_ctl_el0, 0);
}

/* ---- interrupts -------------------------------------------------------------------------------------------------- */

static void end_all(u32 *seen)
{
	for (unsigned idle = 0; idle < 100;) {
		u64 id = cpu_sysreg(S3_0_C12_C12_0); /* ICC_IAR1_EL1 */

		if (id >= 1020) {
			idle++;
			continue;
		}
		if (id < 32)
			*seen ^= 1u << id;
		cpu_set_sysreg(S3_0_C12_C12_1, id); /* ICC_EOIR1_EL1 */
	}
}

static void interrupts(void)
{
	static const u32 others[] = { 0, 1, 25, 26, 33, 48, 79, 1019, 1020, 1022, 1023, 4096, 0xffffff };
	u32 seen = 0;

	cpu_write(0x08000000, 2, 2);            /* GICD_CTLR: group 1 */
	cpu_write(0x080a0014, 2, 0);            /* GICR_WAKER */
	cpu_write(0x080b0080, 2, ~0u);          /* GICR_IGROUPR0 */
	cpu_set_sysreg(S3_0_C4_C6_0, 0xff);     /* ICC_PMR_EL1 */
	cpu_set_sysreg(S3_0_C12_C12_7, 1);      /* ICC_IGRPEN1_EL1 */
	end_all(&seen);
	seen = 0;
	cpu_write(0x080b0100, 2, 0xffff);
	for (u64 id = 0; id < 16; id++)
		cpu_set_sysreg(S3_0_C12_C11_5, 1 | id << 24); /* ICC_SGI1R_EL1 */
	end_all(&seen);
	check("more interrupts than list registers", seen == 0xffff, seen);

	/* EL2's own: its SGIs, maintenance interrupt, timer, UART; and INTIDs that do not exist */
	cpu_set_sysreg(S3_0_C12_C12_4, 2);      /* ICC_CTLR_EL1.EOImode */
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		cpu_set_sysreg(S3_0_C12_C12_1, others[i]); /* EOIR1 */
		cpu_set_sysreg(S3_0_C12_C8_1, others[i]);  /* EOIR0 */
		cpu_set_sysreg(S3_0_C12_C11_1, others[i]); /* DIR */
	}
	cpu_set_sysreg(S3_0_C12_C12_4, 0);
	cpu_set_sysreg(S3_0_C12_C12_5, 0);      /* ICC_SRE_EL1 */
	cpu_write(0x08000040, 2, 33);           /* GICD_SETSPI_NSR */
	cpu_write(0x08000f00, 2, 0x02000001);   /* GICD_SGIR */
	cpu_write(0x08000184, 2, ~0u);          /* GICD_ICENABLER1: disables the UART's */
	cpu_write(0x080b0180, 2, ~0u);          /* GICR_ICENABLER0: disables EL2's timer */
	cpu_write(0x08000284, 2, ~0u);
	cpu_write(0x08000384, 2, ~0u);
	cpu_write(0x08006108, 3, 0x80000001);   /* GICD_IROUTER33: to any CPU, and to a CPU that never started */
	cpu_write(0x080b0400 + 24, 2, ~0u);
	cpu_write(0x080c0014, 2, 2);            /* GICR_WAKER of the other CPU */
	cpu_write(0x080d0280, 2, ~0u);
	cpu_write(0x08080000, 2, 1);            /* GITS_CTLR */
	cpu_write(0x080a0000, 2, 1);            /* GICR_CTLR.EnableLPIs */
	cpu_write(0x080a0070, 3, 0x40000000);   /* GICR_PROPBASER */
	seen = 0;
	end_all(&seen);
	check("interrupts that are not there", !seen, seen);
	check("LPIs and message-based SPIs", !(cpu_read(0x08000004, 2) & (BIT(16) | BIT(17))) &&
	      !cpu_read(0x080a0000, 2) && !cpu_read(0x080a0070, 3) && !(cpu_read(0x080a0008, 3) & 1), cpu_read(0x080a0000, 2));
}

/* ---- a disk ------------------------------------------------------------------------------------------------------ */

#define DISK     0x0a003e00UL
#define RING     0x50010000UL    /* eight descriptors, avail behind them, used in the next page */
#define REQUEST  0x50020000UL

struct descriptor {
	u64 addr;
	u32 len;
	u16 flags, next;
};

static void disk_put(u32 reg, u32 v)
{
	cpu_write(DISK + reg, 2, v);
}

/* Reads the disk's first sector to `to`, with a ring in page `ring` whose descriptors `edit` may spoil first. */
static u64 disk_read(u64 to, u64 ring, void (*edit)(volatile struct descriptor *))
{
	volatile struct descriptor *d = (volatile struct descriptor *)RING;
	volatile u16 *avail = (volatile u16 *)(RING + 128), *used = (volatile u16 *)(RING + 4096);

	disk_put(0x70, 0);
	disk_put(0x70, 3);
	disk_put(0x20, 0);
	disk_put(0x28, 4096);
	disk_put(0x30, 0);
	disk_put(0x38, 8);
	disk_put(0x3c, 4096);
	for (u64 i = 0; i < 8192; i += 8)
		*(volatile u64 *)(RING + i) = 0;
	for (u64 i = 0; i < 64; i += 8)
		*(volatile u64 *)(REQUEST + i) = 0;
	d[0] = (struct descriptor){ REQUEST, 16, 1, 1 };
	d[1] = (struct descriptor){ to, 512, 3, 2 };
	d[2] = (struct descriptor){ REQUEST + 32, 1, 2, 0 };
	if (edit)
		edit(d);
	disk_put(0x40, (u32)(ring >> 12));
	disk_put(0x70, 7);
	avail[1] = 1;
	asm volatile("dsb sy" : : : "memory");
	disk_put(0x50, 0);
	for (u64 i = 0; i < 2000000 && !used[1] && !(cpu_read(DISK + 0x70, 2) & 0x40); i++)
		;
	return used[1] | cpu_read(DISK + 0x70, 2) << 16;
}

static void loop(volatile struct descriptor *d)
{
	d[1].next = 0;
}
static void indirect(volatile struct descriptor *d)
{
	d[0].flags = 4;
}
static void endless(volatile struct descriptor *d)
{
	d[1].len = 0xffffffff;
}

static void disk(void)
{
	static const u64 others[] = { 0x70000000, 0x6fffff00, 0x3ffffe00, 0x08000000, 0x72000000, 0xfffffffffffffe00,
				      0x8000000040000000 };
	volatile u64 *to = (volatile u64 *)0x40080000; /* EL2's memory, if the address were not translated */
	u64 v = disk_read((u64)to, RING, NULL);

	check("a disk that reads to where EL2 lies", v == (7 << 16 | 1) && *to == 0x6b736964206b7369, *to);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		v = disk_read(others[i], RING, NULL);
		check("a disk that reads to what is not the guest's", v == 0x47 << 16, v);
	}
	v = disk_read(0x50030000, 0x09000000, NULL);
	check("a ring in a device", v >> 16 & 0x40 && !(v & 0xffff), v);
	v = disk_read(0x50030000, 0x6ffff000, NULL);
	check("a ring across the end of RAM", v >> 16 & 0x40 && !(v & 0xffff), v);
	v = disk_read(0x50030000, RING, loop);
	check("a chain without an end", v == 0x47 << 16, v);
	v = disk_read(0x50030000, RING, indirect);
	check("an indirect descriptor", v == 0x47 << 16, v);
	v = disk_read(0x50030000, RING, endless);
	check("a length of 4 GiB", v == 0x47 << 16, v);
	v = disk_read(0x50030000, RING, NULL);
	check("a reset heals", v == (7 << 16 | 1), v);
}

void main(void)
{
	if (ATTACK_FLOODS)
		floods();
	make_tables();
	places();
	steps();
	narrow();
	memory();
	calls();
	records();
	debugging();
	interrupts();
	disk();
	say(failed ? "attacks: some FAILED\n" : "attacks: all held\n");
	cpu_hvc(3, 0, 0, 0);
	for (;;) /* the operator's keys must reach EL2 nevertheless */
		asm volatile("nop");
}
