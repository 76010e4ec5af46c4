/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI 1.1 (DEN 0022) and SMCCC 1.1 (DEN 0028) for the guest. */
#include "arch/arch.h"
#include "cpu/locks.h"
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

u64 psci_call(struct cpu *c, unsigned model, const struct call_table *table)
{
	const u64 *x = c->frame.x;
	struct cpu *target;
	u64 result;

	switch (model) {
	case MODEL_SMCCC_VERSION:
		return VERSION(1, 1);
	case MODEL_SMCCC_ARCH_FEATURES:
		/* No workaround is needed or offered on this board. */
		return x[1] == SMCCC_VERSION_ID || x[1] == SMCCC_VERSION_ID + 1 ? features(table, (u32)x[1]) :
										   ERROR(SMCCC_NOT_SUPPORTED);
	case MODEL_PSCI_VERSION:
		return PSCI_1_1;
	case MODEL_PSCI_FEATURES:
		return features(table, (u32)x[1]);
	case MODEL_PSCI_CPU_SUSPEND:
		wait_for_interrupt(c);
		return 0;
	case MODEL_PSCI_CPU_ON:
		target = cpu_by_mpidr(x[1]);
		if (!target)
			return ERROR(PSCI_INVALID_PARAMETERS);
		if (!guest_ram(x[2], 4) || x[2] & 3)
			return ERROR(PSCI_INVALID_ADDRESS);
		spin_lock(&shared);
		result = smp_cpu_on(target, x[2], x[3]);
		spin_unlock(&shared);
		return result;
	case MODEL_PSCI_CPU_OFF:
		return smp_cpu_off(c);
	case MODEL_PSCI_AFFINITY_INFO:
		target = cpu_by_mpidr(x[1]);
		if (!target || x[2] > 3)
			return ERROR(PSCI_INVALID_PARAMETERS);
		return target->online ? AFFINITY_ON : AFFINITY_OFF;
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
