/* SPDX-License-Identifier: Apache-2.0 */
/* `map`: stage 2 from its tables, between the policy's windows, in the order of IPAs. */
#include "dev/virtio.h"
#include "log/console.h"
#include "operator/monitor_cmd.h"
#include "vm/stage2.h"
#include "vm/xlat.h"

#define ADDRESS  0x0000fffffffff000UL
#define LEAF     (BIT(54) | 0x3c | 0xc0) /* neighbours with the same XN, MemAttr and S2AP share a line */
#define IPA_END  (1UL << STAGE2_IPA_BITS)

struct range {
	u64 first, last, descriptor;
	unsigned blocks, pages;
	bool valid;
};

/* The mapped range that begins at `ipa` or later; false: none. At most one step for each entry of EL2's tables. */
static bool next_range(u64 ipa, struct range *out)
{
	struct range r = { .valid = false };

	while (ipa < IPA_END) {
		u64 d[3], leaf, size;
		unsigned n = stage2_walk(ipa, d);

		leaf = d[n - 1];
		size = xlat_size(n);
		if (!(leaf & 1)) {
			if (r.valid)
				break;
		} else if (!r.valid) {
			r = (struct range){ .first = ipa, .descriptor = leaf, .valid = true };
		} else if ((leaf & LEAF) != (r.descriptor & LEAF) ||
			   (leaf & ADDRESS) - (r.descriptor & ADDRESS) != ipa - r.first) {
			break;
		}
		if (leaf & 1) {
			r.last = ipa + size - 1;
			n == 3 ? r.pages++ : r.blocks++;
		}
		ipa += size;
	}
	*out = r;
	return r.valid;
}

static void say_hits(unsigned rule)
{
	u64 hits, cost;

	rule_sum(rule, &hits, &cost);
	if (hits)
		kprintf("  %lu hits", hits);
	kprintf("\n");
}

/* The virtio devices of a window, and how their drivers behave. */
static void say_devices(const struct window_info *w)
{
	static const char *const types[] = { "", "net", "disk", "console", "entropy" };
	struct virtio_status s;

	for (unsigned i = 0; i < VIRTIO_TRANSPORTS; i++) {
		u64 at = VIRTIO_PA + i * VIRTIO_STRIDE;

		if (at < w->base || at > w->last || !virtio_describe(i, &s))
			continue;
		kprintf("    transport %u: %s, status 0x%x, %lu requests", i, s.type < ARRAY_SIZE(types) ? types[s.type] : "?",
			s.status, s.requests);
		if (s.refused)
			kprintf(", %lu refused", s.refused);
		if (s.waits)
			kprintf(", held back %lu times", s.waits);
		if (s.breaks)
			kprintf("\n      broken %lu times, last by %s", s.breaks, s.why);
		kprintf("\n");
	}
}

static void say_window(const struct window_info *w)
{
	kprintf("ipa 0x%08x-0x%08x  trap  %-10s r%u %s", w->base, w->last, w->name, w->rule, policy_far_rules[w->rule].place);
	say_hits(w->rule);
	say_devices(w);
}

static void say_range(const struct range *r)
{
	const struct passthrough *p = NULL;
	const struct memory *m = POLICY_MEMORY ? policy_guard(r->first) : NULL;
	u64 d = r->descriptor;

	for (unsigned i = 0; i < policy_n_passthrough; i++)
		if (r->first >= policy_passthrough[i].base && r->first <= policy_passthrough[i].last)
			p = &policy_passthrough[i];
	kprintf("ipa 0x%08lx-0x%08lx  %c%c%c   ", r->first, r->last, d & BIT(6) ? 'R' : '-', d & BIT(7) ? 'W' : '-',
		d & BIT(54) ? '-' : 'X');
	if (p)
		kprintf("%-10s r%u %s", "direct", p->rule, policy_far_rules[p->rule].place);
	else
		kprintf("%-10s pa 0x%lx", r->first >= GUEST_IPA ? "ram" : "?", d & ADDRESS);
	if (m)
		kprintf("  r%u %s", guard_rule(m), policy_far_rules[guard_rule(m)].place);
	if (r->blocks)
		kprintf("  2M x%u", r->blocks);
	if (r->pages)
		kprintf("  4K x%u", r->pages);
	kprintf("\n");
}

void monitor_map(struct monitor *m, const char *args)
{
	struct range r;
	unsigned w = 0;
	u64 ipa = 0;

	if (!no_more(args))
		return;
	while (next_range(ipa, &r)) {
		for (; w < policy_n_windows && policy_windows[w].base <= r.first; w++) {
			say_window(&policy_windows[w]);
			if (!monitor_more(m))
				return;
		}
		say_range(&r);
		if (!monitor_more(m))
			return;
		ipa = r.last + 1;
	}
	for (; w < policy_n_windows; w++) {
		say_window(&policy_windows[w]);
		if (!monitor_more(m))
			return;
	}
	kprintf("everything else: `default` under mmio decides\n");
}
