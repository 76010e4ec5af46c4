/* SPDX-License-Identifier: Apache-2.0 */
/* `xlat`: both stages level by level, the line of the policy that decides, and the machine's own answer. */
#include "arch/arch.h"
#include "log/console.h"
#include "operator/monitor_cmd.h"
#include "vm/guestmem.h"
#include "vm/stage2.h"
#include "vm/xlat.h"

#define ADDRESS 0x0000fffffffff000UL

static const char *const sizes[] = { "512G", "1G", "2M", "4K" };

/* MAIR_ELx attribute bytes and stage 2 MemAttr in words. */
static const char *memory_type(u64 attr)
{
	switch (attr) {
	case 0x00: return "Device-nGnRnE";
	case 0x04: return "Device-nGnRE";
	case 0x08: return "Device-nGRE";
	case 0x0c: return "Device-GRE";
	case 0x44: return "Normal NC";
	case 0xbb: return "Normal WT";
	case 0xff: return "Normal WB";
	default: return "other";
	}
}

static const char *shareability(u64 d)
{
	static const char *const words[4] = { "non-sh.", "reserved", "outer sh.", "inner sh." };

	return words[FIELD(d, 9, 8)];
}

static void stage1_leaf(const struct xlat *x, u64 d, unsigned level)
{
	u64 attr = sysreg_read(mair_el1) >> (8 * FIELD(d, 4, 2)) & 0xff;
	bool el0 = d & BIT(6) && !(x->denied & XLAT_NO_EL0), w = !(d & BIT(7)) && !(x->denied & XLAT_NO_WRITE);
	bool ux = !(d & BIT(54)) && !(x->denied & XLAT_NO_UX), px = !(d & BIT(53)) && !(x->denied & XLAT_NO_PX);

	/* EL1 never executes memory that EL0 may write. */
	px = px && !(el0 && w);
	kprintf("%s %s  EL1 R%c%c EL0 %c%c%c%s\n     MAIR 0x%02lx %s, %s%s%s\n", level == 3 ? "page" : "block",
		sizes[level], w ? 'W' : '-', px ? 'X' : '-', el0 ? 'R' : '-', el0 && w ? 'W' : '-', ux ? 'X' : '-',
		d & BIT(11) ? " nG" : "", attr, memory_type(attr), shareability(d), d & BIT(10) ? ", AF" : ", no AF",
		d & BIT(52) ? ", contiguous" : "");
}

static void say_end(const struct xlat *x)
{
	switch (x->end) {
	case XLAT_OFF:
		kprintf("stage 1 is off (SCTLR_EL1.M = 0): ipa 0x%lx\n", x->ipa);
		break;
	case XLAT_RANGE:
		kprintf("-> neither TTBR0_EL1 nor TTBR1_EL1 covers it (%u-bit VA)\n", x->bits);
		break;
	case XLAT_DISABLED:
		kprintf("-> TCR_EL1.EPD%u = 1: no walks\n", x->upper);
		break;
	case XLAT_GRANULE:
		kprintf("-> a %uK granule: not walked here, see what AT says\n", x->granule);
		break;
	case XLAT_INVALID:
		kprintf("-> invalid: translation fault, level %u\n", x->step[x->n - 1].level);
		break;
	case XLAT_NOT_RAM:
		kprintf("-> the table is not in guest RAM\n");
		break;
	case XLAT_OK:
		kprintf("  -> ipa 0x%lx\n", x->ipa);
		break;
	}
}

static void say_stage1(u64 va, struct xlat *x)
{
	struct xlat_registers r = { sysreg_read(sctlr_el1), sysreg_read(tcr_el1), sysreg_read(ttbr0_el1),
				    sysreg_read(ttbr1_el1) };

	xlat_stage1(&r, va, x);
	if (x->end == XLAT_OFF) {
		say_end(x);
		return;
	}
	kprintf("stage 1  TTBR%u 0x%lx  %uK, %u-bit VA, ASID %lu\n", x->upper, x->ttbr & 0x0000fffffffffffeUL,
		x->granule, x->bits, (r.tcr & BIT(22) ? r.ttbr1 : r.ttbr0) >> 48);
	for (unsigned i = 0; i < x->n; i++) {
		const struct xlat_step *s = &x->step[i];
		bool last = i == x->n - 1;

		kprintf("  L%u[0x%03x] @ipa 0x%lx = ", s->level, s->index, s->entry);
		if (last && x->end == XLAT_NOT_RAM) {
			kprintf("?\n");
			break;
		}
		kprintf("0x%016lx  ", s->descriptor);
		if (!last)
			kprintf("table\n");
		else if (x->end == XLAT_INVALID)
			kprintf("invalid\n");
		else
			stage1_leaf(x, s->descriptor, s->level);
	}
	say_end(x);
}

static void say_owner(u64 ipa)
{
	const struct window_info *w = policy_window(ipa);
	const struct memory *m = POLICY_MEMORY ? policy_guard(ipa) : NULL;
	const struct rule_info *rule;

	if (m) {
		rule = &policy_far_rules[guard_rule(m)];
		kprintf("  region \"ram\"  r%u %s\n    %s\n", guard_rule(m), rule->place, rule->text);
		return;
	}
	if (ipa >= GUEST_IPA && ipa - GUEST_IPA < GUEST_SIZE) {
		kprintf("  region \"ram\": mapped whole, no part of `memory` is there\n");
		return;
	}
	if (!w) {
		kprintf("  no window of the policy: `default` under mmio decides\n");
		return;
	}
	rule = &policy_far_rules[w->rule];
	kprintf("  window \"%s\"+0x%lx  r%u %s\n    %s\n", w->name, ipa - w->base, w->rule, rule->place, rule->text);
}

/* Returns the PA, or ~0 if stage 2 does not map the IPA. */
static u64 say_stage2(u64 ipa)
{
	u64 d[3], vttbr = sysreg_read(vttbr_el2), size, leaf;
	unsigned n;

	kprintf("stage 2  VTTBR 0x%lx  VMID %lu, 4K, %u-bit IPA, start L1\n", vttbr & ADDRESS, vttbr >> 48,
		STAGE2_IPA_BITS);
	if (ipa >> STAGE2_IPA_BITS) {
		kprintf("  -> beyond the guest's address space\n");
		return ~0UL;
	}
	n = stage2_walk(ipa, d);
	for (unsigned i = 0; i < n; i++)
		kprintf("  L%u[0x%03lx] = 0x%016lx  %s", i + 1, ipa >> (30 - 9 * i) & 0x1ff, d[i],
			i < n - 1 ? "table\n" : "");
	leaf = d[n - 1];
	if (!(leaf & 1)) {
		kprintf("not mapped: accesses trap\n");
		say_owner(ipa);
		return ~0UL;
	}
	size = xlat_size(n);
	kprintf("%s %s  %c%c%c, MemAttr 0x%lx %s%s\n", n == 3 ? "page" : "block", sizes[n], leaf & BIT(6) ? 'R' : '-',
		leaf & BIT(7) ? 'W' : '-', leaf & BIT(54) ? '-' : 'X', FIELD(leaf, 5, 2),
		FIELD(leaf, 5, 2) == 15 ? "normal WB" : FIELD(leaf, 5, 2) < 4 ? "device" : "other",
		leaf & BIT(10) ? ", AF" : ", no AF");
	leaf = (leaf & ADDRESS & ~(size - 1)) | (ipa & (size - 1));
	kprintf("  -> pa 0x%lx\n", leaf);
	say_owner(ipa);
	return leaf;
}

/* The machine's own answer, for reads at EL1. Restores the guest's PAR_EL1. */
static void cross_check(u64 va, u64 pa)
{
	u64 saved = sysreg_read(par_el1), par;

	at_s12e1r(va);
	par = sysreg_read(par_el1);
	sysreg_write(par_el1, saved);
	if (par & 1) {
		kprintf("AT S12E1R: fault 0x%lx, stage %u%s\n", FIELD(par, 6, 1), par & BIT(9) ? 2 : 1,
			pa == ~0UL ? " (agrees: no translation)" : ", but the walk ends well: stale TLB?");
		return;
	}
	par = (par & ADDRESS) | (va & 0xfff);
	if (par == pa)
		kprintf("AT S12E1R agrees.\n");
	else
		kprintf("AT S12E1R says pa 0x%lx: stale TLB?\n", par);
}

void monitor_xlat(struct monitor *m, const char *args)
{
	struct address a;
	struct xlat x = { .ipa = 0 };
	u64 pa = ~0UL;

	if (!take_address(m, &args, &a) || !no_more(args))
		return;
	if (a.space == SPACE_PA) {
		complain("a physical address is what translation ends with: give a VA or ipa:0x..\n");
		return;
	}
	x.ipa = a.value;
	if (a.space == SPACE_VA)
		say_stage1(a.value, &x);
	if (x.end == XLAT_OK || x.end == XLAT_OFF)
		pa = say_stage2(x.ipa);
	if (a.space == SPACE_VA)
		cross_check(a.value, pa);
}
