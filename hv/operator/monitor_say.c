/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and sums that several of the monitor's commands print. */
#include "arch/arch.h"
#include "cpu/esr.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/monitor_cmd.h"

const char *const policy_sections[SEC_COUNT] = {
	[SEC_SYSREGS] = "sysregs", [SEC_MMIO] = "mmio",       [SEC_MEMORY] = "memory",     [SEC_HVC] = "hvc",
	[SEC_SMC] = "smc",         [SEC_EXCEPTIONS] = "exceptions", [SEC_FEATURES] = "features",
};
_Static_assert(SEC_COUNT == 7, "policy_sections[] has a word for each enum section");

u64 ticks_a_second(void)
{
	u64 f = sysreg_read(cntfrq_el0);

	return f ? f : 1;
}

static u64 nanoseconds(u64 ticks)
{
	u64 f = ticks_a_second();

	return ticks / f * 1000000000 + ticks % f * 1000000000 / f;
}

size_t seconds_text(char *buf, size_t size, u64 ticks)
{
	u64 f = ticks_a_second();

	return ksnprintf(buf, size, "%lu.%03lu", ticks / f, ticks % f * 1000 / f);
}

void say_time(u64 ticks, int width)
{
	char text[24];
	u64 ns = nanoseconds(ticks);

	if (!ns)
		ksnprintf(text, sizeof(text), "-");
	else if (ns < 10000000)
		ksnprintf(text, sizeof(text), "%lu.%luus", ns / 1000, ns % 1000 / 100);
	else
		ksnprintf(text, sizeof(text), "%lu.%lums", ns / 1000000, ns % 1000000 / 100000);
	kprintf("%*s", width, text);
}

void say_share(u64 part, u64 whole)
{
	u64 p = whole ? part * 1000 / whole : 0;

	kprintf(" %9lu %3lu.%lu", part, p / 10, p % 10);
}

void row_sum(unsigned row, u64 *hits, u64 *cost)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i] && cpus[i]->rows) {
			*hits += cpus[i]->rows[row].hits;
			*cost += cpus[i]->rows[row].cost;
		}
}

void rule_sum(unsigned rule, u64 *hits, u64 *cost)
{
	*hits = *cost = 0;
	for (unsigned i = 0; i < policy_n_rows; i++)
		if (policy_rows[i].rule == rule)
			row_sum(i, hits, cost);
}

unsigned rules_hit(void)
{
	u64 hits, cost;
	unsigned n = 0;

	for (unsigned i = 0; i < policy_n_rules; i++) {
		rule_sum(i, &hits, &cost);
		n += hits != 0;
	}
	return n;
}

size_t describe_frame(char *buf, size_t size, const struct trap_frame *f)
{
	struct log_record r = { .esr = (u32)f->esr_el2, .info = V_DENY, .value = f->x[0], .addr = f->x[1],
				.aux = f->x[2], .n = 1 }; /* the value has not been read yet */
	unsigned class = esr_class(f->esr_el2);

	if (class == EC_DABT_LOW || class == EC_IABT_LOW)
		r.addr = FIELD(f->hpfar_el2, 43, 4) << 12 | (f->far_el2 & 0xfff);
	if (class == EC_SYSREG)
		r.value = f->x[iss_rt(f->esr_el2)];
	if (class == EC_DABT_LOW)
		r.value = f->x[dabt_rt(f->esr_el2)];
	return log_describe(buf, size, &r);
}
