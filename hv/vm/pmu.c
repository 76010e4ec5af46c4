/* SPDX-License-Identifier: Apache-2.0 */
/* Software increments of a guest. The PMU counts by filters for EL2; these follow the guest's filters for its level. */
#include "vm/pmu.h"
#include "arch/arch.h"
#include "vm/el1_exception.h"
#include "vm/features.h"

#define COUNTERS  31u
#define MDCR_HPMD BIT(17)
/* PMEVTYPER<n>_EL0 */
#define TYPE_P    BIT(31)
#define TYPE_U    BIT(30)
#define TYPE_NSK  BIT(29)
#define TYPE_NSU  BIT(28)
#define TYPE_NSH  BIT(27)

/* Whether events of Non-secure EL0 or EL1 count. NSK and NSU invert P and U if there is a Secure state. */
static bool counts(u64 type, bool user)
{
	bool secure = FIELD(sysreg_read(id_aa64pfr0_el1), 15, 12);
	bool off = type & (user ? TYPE_U : TYPE_P), turned = secure && type & (user ? TYPE_NSU : TYPE_NSK);

	return off == turned;
}

static u64 type_of(unsigned n)
{
	sysreg_write(pmselr_el0, n);
	isb();
	return sysreg_read(pmxevtyper_el0);
}

static void set_type(unsigned n, u64 type)
{
	sysreg_write(pmselr_el0, n);
	isb();
	sysreg_write(pmxevtyper_el0, type);
}

enum outcome pmu_software_increment(struct trap_frame *f, u64 value)
{
	u64 selected = sysreg_read(pmselr_el0), mdcr = sysreg_read(mdcr_el2), types[COUNTERS];
	unsigned n = (unsigned)FIELD(sysreg_read(pmcr_el0), 15, 11);
	bool user = (f->spsr_el2 & SPSR_MODE) == 0;

	value &= BIT(n) - 1;
	sysreg_write(mdcr_el2, mdcr & ~MDCR_HPMD);
	for (unsigned i = 0; i < n; i++)
		if (value & BIT(i)) {
			types[i] = type_of(i);
			set_type(i, counts(types[i], user) ? types[i] | TYPE_NSH : types[i] & ~TYPE_NSH);
		}
	isb();
	sysreg_write(pmswinc_el0, value);
	isb();
	for (unsigned i = 0; i < n; i++)
		if (value & BIT(i))
			set_type(i, types[i]);
	sysreg_write(pmselr_el0, selected);
	sysreg_write(mdcr_el2, mdcr);
	isb();
	return NEXT;
}
