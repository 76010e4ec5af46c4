/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI 1.1 (DEN 0022) and SMCCC 1.1 (DEN 0028) for the guest. */
#include "arch/arch.h"
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

/* What PSCI_FEATURES is asked about: the functions of PSCI, and SMCCC_VERSION. */
static bool is_psci(u32 id)
{
	return (id & ~(SMC64 | 0x1fu)) == PSCI_VERSION_ID || id == SMCCC_VERSION_ID;
}

/* What SMCCC_ARCH_FEATURES is asked about: fast calls whose owner is the Arm Architecture. */
static bool is_arch(u32 id)
{
	return (id & 0xbf000000u) == SMCCC_VERSION_ID;
}

/* A function is there for the guest when the policy serves it on the conduit that it asks by. */
static u64 features(const struct call_table *table, u32 id)
{
	const struct decision *d = &policy_rows[policy_call(table, id)];

	return d->action == ACT_EMULATE || d->action == ACT_VALUE ? 0 : ERROR(SMCCC_NOT_SUPPORTED);
}

/* The CPU with this MPIDR affinity, or NULL. */
static struct cpu *cpu_by_mpidr(u64 mpidr)
{
	return !(mpidr & ~0xffUL) && mpidr < n_cpus ? cpus[mpidr] : NULL;
}

/* From level 1 up one instance holds all CPUs, whose fields there are zero; the caller itself is on. */
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

u64 psci_call(struct cpu *c, unsigned model, const struct call_table *table)
{
	u32 id = (u32)c->frame.x[0];
	u64 x1 = policy_argument(id, c->frame.x[1]), x2 = policy_argument(id, c->frame.x[2]);
	struct cpu *target;
	u64 result;

	switch (model) {
	case MODEL_SMCCC_VERSION:
		return VERSION(1, 1);
	case MODEL_SMCCC_ARCH_FEATURES:
		return is_arch((u32)x1) ? features(table, (u32)x1) : ERROR(SMCCC_NOT_SUPPORTED);
	case MODEL_PSCI_VERSION:
		return PSCI_1_1;
	case MODEL_PSCI_FEATURES:
		return is_psci((u32)x1) ? features(table, (u32)x1) : ERROR(SMCCC_NOT_SUPPORTED);
	case MODEL_PSCI_CPU_SUSPEND:
		if (x1 & POWER_STATE_INVALID)
			return ERROR(PSCI_INVALID_PARAMETERS);
		wait_for_interrupt(c);
		return 0;
	case MODEL_PSCI_CPU_ON:
		target = cpu_by_mpidr(x1);
		if (!target)
			return ERROR(PSCI_INVALID_PARAMETERS);
		if (!guest_ram(x2, 4) || x2 & 3)
			return ERROR(PSCI_INVALID_ADDRESS);
		spin_lock(&shared);
		result = smp_cpu_on(target, x2, policy_argument(id, c->frame.x[3]));
		spin_unlock(&shared);
		return result;
	case MODEL_PSCI_CPU_OFF:
		return smp_cpu_off(c);
	case MODEL_PSCI_AFFINITY_INFO:
		return affinity_info(x1, (u32)x2);
	case MODEL_PSCI_MIGRATE_INFO_TYPE:
		return NO_MIGRATION;
	case MODEL_PSCI_SYSTEM_OFF:
		spin_lock(&shared); /* the operator may be at the monitor of another CPU */
		machine_off("poweroff");
	case MODEL_PSCI_SYSTEM_RESET:
		spin_lock(&shared);
		guest_reset();
	}
	return ERROR(SMCCC_NOT_SUPPORTED);
}
