/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sweep: makes every access that the plan lists, and says what came of each.
 *
 * It judges nothing (policygen verify --run does). Of the policy it knows only how to survive: accesses that would stop
 * the guest are left out, those with a rate limit are paced. The MMU stays off, so that no register is needed that a
 * policy may deny.
 *
 * Neighbours are tried in batches: if all of a batch end alike and EL2 has counted one decision for each, or none for
 * any, that is what is reported; otherwise each is made once more, alone. Where the policy limits how often ESR_EL1 is
 * read, it is read for the first exception of a batch alone: the others are like it if EL2 counted them alike.
 */
#include "caught.h"
#include "cpu.h"
#include "guest_calls.h"
#include "plan.h"
#include "report.h"

#define STUBS        ((u32 *)0x41000000) /* two instructions an access; nothing else is there */
#define INSN_RET     0xd65f03c0u
#define INSN_SYSTEM  0xd5000000u
#define SCRATCH      0x40f00000UL        /* memory for maintenance by address */
#define FEW          6u                  /* of a paced span: so many accesses that trap, and then so many more */
#define BATCH        64u

struct caught caught;
bool quietly;

static u64 own_traps; /* decisions that it costs to read ESR_EL1 in start.S */

static u64 decided(void)
{
	cpu_wait_us(pace_of_status);
	return cpu_hvc(HV_GET_STATUS, 0, 0, 0);
}

static u64 denied(void)
{
	cpu_wait_us(pace_of_status);
	return cpu_hvc(HV_GET_STATUS, 3, 0, 0);
}

/* MRS, MSR, SYS or SYSL of a 16-bit register key, on x0. */
static u32 system_insn(u64 key, bool read)
{
	return INSN_SYSTEM | (read ? 1u << 21 : 0) | (u32)(key >> 14 & 3) << 19 | (u32)(key >> 11 & 7) << 16 |
	       (u32)(key >> 7 & 15) << 12 | (u32)(key >> 3 & 15) << 8 | (u32)(key & 7) << 5;
}

static u64 call_stub(const u32 *stub, u64 x0)
{
	return ((u64 (*)(u64))stub)(x0);
}

/*
 * Registers are written with their own value, so that SCTLR_EL1, VBAR_EL1, SP_EL0 and their like stay as they are; with
 * zero, where that cannot be read. An operation gets an address of ours where it takes one: cache maintenance by VA (not by set/way) and AT.
 */
static u64 operand(const struct span *s, u64 at, const u32 *read_stub)
{
	u64 crn = at >> 7 & 15, crm = at >> 3 & 15, op2 = at & 7, value = 0;
	bool set_way = (crm == 6 || crm == 10 || crm == 14) && op2 == 2;

	if (s->kind == 's' && at >> 14 == 1)
		return crn == 7 && crm != 3 && !set_way ? SCRATCH : 0;
	if (s->flags & ZERO)
		return 0;
	quietly = true;
	if (s->kind == 's')
		CATCH(value = call_stub(read_stub, 0));
	else if (s->flags & SAME)
		CATCH(value = cpu_read(at, (unsigned)__builtin_ctz(s->width)));
	quietly = false;
	return caught.sync || caught.serror ? 0 : value;
}

/* One call with x1 to x3 watched. */
static u64 make_call(bool hvc, u64 id, u64 a1, u64 a2, bool *changed)
{
	register u64 x0 asm("x0") = id;
	register u64 x1 asm("x1") = a1;
	register u64 x2 asm("x2") = a2;
	register u64 x3 asm("x3") = 0;

	if (hvc)
		asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	else
		asm volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	*changed = x1 != a1 || x2 != a2 || x3;
	return x0;
}

/* Makes the access; returns its outcome without the trap, and adds to *read the number of reads of ESR_EL1. */
static struct result try(const struct span *s, u64 at, u64 index, u64 value, u64 *read)
{
	static u64 esr; /* of the last exception that was not caught quietly */
	unsigned log2 = (unsigned)__builtin_ctz(s->width);
	const u32 *stub = STUBS + 4 * index;
	struct result r = { .letter = 'o' };
	bool changed = false;

	switch (s->kind) {
	case 's':
		CATCH(value = call_stub(stub, value));
		break;
	case 'm':
		if (s->direction == 'r')
			CATCH(value = cpu_read(at, log2));
		else
			CATCH(cpu_write(at, log2, value));
		break;
	default:
		CATCH(value = make_call(s->kind == 'h', at, s->x1, s->x2, &changed));
	}
	if (caught.sync && !caught.quiet) {
		*read += 1;
		esr = caught.esr;
	}
	if (caught.serror)
		r.letter = 's';
	else if (caught.sync > 1)
		r.letter = 'z';
	else if (caught.sync)
		r.letter = esr == BIT(25) ? 'u' : esr >> 26 == 0x25 && (esr & 0x3f) == 0x10 ? 'a' : 'x';
	else if (changed)
		r.letter = 'c';
	if (r.letter == 'x' || (r.letter == 'o' && s->direction != 'w')) {
		r.has_value = true;
		r.value = r.letter == 'x' ? esr : value;
	}
	return r;
}

/* Makes accesses [from, from + n) of the span and counts them together; false: they differ. */
static bool batch(const struct span *s, u64 from, u64 n)
{
	static u64 operands[BATCH];
	struct result first = { 0 }, r;
	u64 read = 0, traps, denials;
	bool alike = true;

	traps = decided();
	for (u64 i = 0; i < n; i++)
		operands[i] = s->direction == 'w' ? operand(s, s->first + (from + i) * s->step, STUBS + 4 * (from + i) + 2) : 0;
	if (s->pace && decided() - traps > 1) /* the read before a write may be of the same limit */
		cpu_wait_us(s->pace);
	denials = denied();
	traps = decided();
	for (u64 i = 0; i < n; i++) {
		r = try(s, s->first + (from + i) * s->step, from + i, operands[i], &read);
		if (!i)
			first = r;
		alike = alike && report_alike(&first, &r);
		quietly = pace_of_esr && read;
	}
	quietly = false;
	traps = decided() - traps - 1 - read * own_traps;
	if (read)
		cpu_wait_us(pace_of_esr);
	denials = denied() - denials;
	if (!alike || (traps && traps != n && n > 1) || (denials && denials != n && n > 1))
		return false;
	if (traps)
		first.flag = traps > n ? '*' : denials ? '-' : '+';
	for (u64 i = 0; i < n; i++)
		report(s->kind, s->direction, s->width, s->first + (from + i) * s->step, s->step, s->x1, s->x2, &first);
	if (traps && s->pace)
		cpu_wait_us(s->pace);
	return true;
}

/*
 * Instructions for a span of system registers: the access, and the read before a write. The instruction cache is not
 * maintained, since a policy may deny that: a machine with one needs other memory for each span.
 */
static void assemble(const struct span *s)
{
	u32 *out = STUBS;

	for (u64 i = 0; i < s->count; i++, out += 4) {
		out[0] = system_insn(s->first + i * s->step, s->direction == 'r');
		out[1] = INSN_RET;
		out[2] = system_insn(s->first + i * s->step, true);
		out[3] = INSN_RET;
	}
	asm volatile("dsb sy; isb" : : : "memory");
}

static void run(const struct span *s)
{
	static const struct result passed = { .letter = 'p' };
	u64 most = s->pace ? 1 : BATCH, start = report_traps, n;

	if (s->kind == 's' && !(s->flags & PASS_OVER))
		assemble(s);
	for (u64 i = 0; i < s->count; i += n) {
		n = s->count - i < most ? s->count - i : most;
		if (s->flags & PASS_OVER || (s->pace && report_traps - start >= FEW && i % (s->count / FEW + 1))) {
			for (u64 j = i; j < i + n; j++)
				report(s->kind, s->direction, s->width, s->first + j * s->step, s->step, s->x1, s->x2, &passed);
		} else if (!batch(s, i, n)) {
			for (u64 j = i; j < i + n; j++)
				batch(s, j, 1);
		}
	}
}

void main(void);
void main(void)
{
	u64 before;

	/* Enables FP, SVE and SME at EL1, which would refuse their registers before EL2 is asked. */
	CATCH(cpu_set_sysreg(cpacr_el1, 3UL << 20 | 3UL << 16 | 3UL << 24));
	before = decided();
	CATCH(provoke());
	own_traps = decided() - before - 1;
	cpu_wait_us(pace_of_esr);
	report_start(before != ~0UL && caught.sync == 1 && caught.esr == BIT(25));
	for (u32 i = 0; i < plan_spans; i++)
		run(&plan[i]);
	report_end();
	for (;;) {
		CATCH(cpu_hvc(PSCI_SYSTEM_OFF, 0, 0, 0));
		CATCH(cpu_smc(PSCI_SYSTEM_OFF, 0, 0, 0));
		CATCH(cpu_hvc(HV_PAUSE, 0, 0, 0));
	}
}
