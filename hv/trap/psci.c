/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI 1.1 (DEN 0022) and SMCCC 1.1 (DEN 0028) for the guest. */
#include "arch/arch.h"
#include "cpu/esr.h"
#include "cpu/smp.h"
#include "lib/psci.h"
#include "log/power.h"
#include "trap/hvcall.h"
#include "trap/trap_wait.h"
#include "vm/guestmem.h"

#define VERSION(major, minor) ((u64)(major) << 16 | (minor))
#define NO_MIGRATION          2 /* MIGRATE_INFO_TYPE: no Trusted OS to migrate */
#define AFFINITY_ON           0
#define AFFINITY_OFF          1
#define ERROR(e)              ((u64)(s64)(e))
#define POWER_STATE_INVALID   0xfffe0000u /* CPU_SUSPEND, original format: reserved bits, and power levels above the CPU's */
#define AFFINITY_RESERVED     (~0xff00ffffffUL)

static u64 argument(const struct cpu *c, unsigned n)
{
	return policy_argument((u32)c->frame.x[0], c->frame.x[n]);
}

/* Functions that PSCI_FEATURES knows: PSCI's own, and SMCCC_VERSION. */
static bool is_psci(u32 id)
{
	return (id & ~(SMC64 | 0x1fu)) == PSCI_VERSION_ID || id == SMCCC_VERSION_ID;
}

/* Functions that SMCCC_ARCH_FEATURES knows: fast calls whose owner is the Arm Architecture. */
static bool is_arch(u32 id)
{
	return (id & 0xbf000000u) == SMCCC_VERSION_ID;
}

static bool answer(struct cpu *c, u64 x0)
{
	c->frame.x[0] = x0;
	return true;
}

/* A function exists for the guest if the policy serves it on the conduit that it asks by. */
static u64 features(const struct cpu *c, u32 id)
{
	const struct call_table *table = esr_class(c->frame.esr_el2) == EC_HVC64 ? &policy_hvc : &policy_smc;
	const struct decision *d = &policy_rows[policy_call(table, id)];

	return d->action == ACT_EMULATE || d->action == ACT_VALUE ? 0 : ERROR(SMCCC_NOT_SUPPORTED);
}

/* The CPU with this MPIDR affinity, or NULL. */
static struct cpu *cpu_by_mpidr(u64 mpidr)
{
	return !(mpidr & ~0xffUL) && mpidr < n_cpus ? cpus[mpidr] : NULL;
}

bool smccc_version(struct cpu *c)
{
	return answer(c, VERSION(1, 1));
}

bool smccc_arch_features(struct cpu *c)
{
	u32 id = (u32)argument(c, 1);

	return answer(c, is_arch(id) ? features(c, id) : ERROR(SMCCC_NOT_SUPPORTED));
}

bool psci_version(struct cpu *c)
{
	return answer(c, PSCI_1_1);
}

bool psci_features(struct cpu *c)
{
	u32 id = (u32)argument(c, 1);

	return answer(c, is_psci(id) ? features(c, id) : ERROR(SMCCC_NOT_SUPPORTED));
}

bool psci_cpu_suspend(struct cpu *c)
{
	if (argument(c, 1) & POWER_STATE_INVALID)
		return answer(c, ERROR(PSCI_INVALID_PARAMETERS));
	wait_for_interrupt(c);
	return answer(c, 0);
}

bool psci_cpu_on(struct cpu *c)
{
	struct cpu *target = cpu_by_mpidr(argument(c, 1));
	u64 entry = argument(c, 2);

	if (!target)
		return answer(c, ERROR(PSCI_INVALID_PARAMETERS));
	if (!guest_ram(entry, 4) || entry & 3)
		return answer(c, ERROR(PSCI_INVALID_ADDRESS));
	return answer(c, smp_cpu_on(target, entry, argument(c, 3)));
}

bool psci_cpu_off(struct cpu *c)
{
	return answer(c, smp_cpu_off(c));
}

/* From level 1 up one instance holds all CPUs, with the fields below it zero; the caller itself is on, so the level is. */
static u64 affinity_info(u64 mpidr, u32 level)
{
	struct cpu *target;

	if (level > 3 || mpidr & AFFINITY_RESERVED)
		return ERROR(PSCI_INVALID_PARAMETERS);
	if (level)
		return mpidr >> 8 * level ? ERROR(PSCI_INVALID_PARAMETERS) : AFFINITY_ON;
	target = cpu_by_mpidr(mpidr);
	if (!target)
		return ERROR(PSCI_INVALID_PARAMETERS);
	return target->online ? AFFINITY_ON : AFFINITY_OFF;
}

bool psci_affinity_info(struct cpu *c)
{
	return answer(c, affinity_info(argument(c, 1), (u32)argument(c, 2)));
}

bool psci_migrate_info_type(struct cpu *c)
{
	return answer(c, NO_MIGRATION);
}

bool psci_system_off(struct cpu *c)
{
	(void)c;
	machine_off("poweroff");
}

bool psci_system_reset(struct cpu *c)
{
	(void)c;
	guest_reset();
}
