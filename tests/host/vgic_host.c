/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/vgic.c between a guest that writes anything and physical timers. What must hold after each step: a physical
 * interrupt that was acknowledged and not deactivated is known to the vGIC (else the guest's timer is dead for good),
 * no list register holds what another holds, and nothing pending is forgotten. argv: first seed, number of seeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cpu.h"
#include "gic.h"

#define LRS      4
#define STATE(v) ((v) >> 62)

u64 fake_now, fake_step;
struct cpu *cpus[MAX_CPUS];
unsigned n_cpus = 2;
struct spinlock shared;
const struct trap_controls policy_traps;

static u64 lr[LRS];
static u32 running; /* physical interrupts (PPIs) that were acknowledged and not deactivated */
static unsigned long taken, ended;
static u64 state, seed;

static u32 any(u32 n)
{
	state = state * 6364136223846793005UL + 1442695040888963407UL;
	return (u32)(state >> 33) % n;
}
static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "vgic_host: seed %lu: %s\n", (unsigned long)seed, what);
	abort();
}

u64 gich_lr_read(unsigned n) { must(n < LRS, "a list register that is not there"); return lr[n]; }
void gich_lr_write(unsigned n, u64 value) { must(n < LRS, "a list register that is not there"); lr[n] = value; }
u64 fake_sysreg_read(const char *name)
{
	u64 v = 0;

	if (!strcmp(name, "tpidr_el2"))
		return (u64)cpus[0];
	if (!strcmp(name, "ich_vtr_el2"))
		return LRS - 1;
	for (unsigned n = 0; n < LRS; n++) /* EISR: ended, EOI asked for; ELRSR: empty, and no EOI to tell */
		if (!STATE(lr[n]) && (lr[n] >> 41 & 1 && !(lr[n] >> 61 & 1)) == !strcmp(name, "ich_eisr_el2"))
			v |= BIT(n);
	return v;
}
void fake_sysreg_write(const char *name, u64 value) { (void)name; (void)value; }
void gic_deactivate(u32 irq)
{
	must(irq < 32 && running >> irq & 1, "deactivated what is not active");
	running &= ~(1u << irq);
	ended++;
}
void gic_enable(u32 cpu, u32 irq, bool on) { must(cpu < n_cpus && irq < 32, "enable"); (void)on; }
void gic_send_sgi(u32 cpu, u32 irq) { must(cpu == 1 && irq == SGI_KICK, "kick"); }

/* The guest takes what is pending, or ends what is active. */
static void guest(void)
{
	unsigned n = any(LRS);

	if (STATE(lr[n]) == 1) {
		lr[n] ^= 3UL << 62;
		taken++;
	} else if (STATE(lr[n]) >= 2) {
		lr[n] &= ~(2UL << 62);
		if (lr[n] >> 61 & 1)
			gic_deactivate((u32)(lr[n] >> 32 & 0x3ff));
	}
}

static void step(struct cpu *c)
{
	static const u32 timers[] = { IRQ_PMU, IRQ_VTIMER, IRQ_PTIMER };
	u32 irq = timers[any(3)], value = any(3) ? 1u << irq | 1u << any(32) : any(2) ? ~0u : (u32)state;
	u64 read;

	switch (any(12)) {
	case 0: case 1:
		if (!(running >> irq & 1) && c->vgic.local.enabled >> irq & 1) {
			running |= 1u << irq;
			vgic_physical(c, irq);
		}
		break;
	case 2: case 3: guest(); break;
	case 4: vgic_redist_write(c, 0x10080 + any(8) * 0x80, 4, value); break;
	case 5: vgic_redist_write(c, 0x10100, 4, ~0u); break;
	case 6: vgic_dist_write(c, any(0x500) & ~3u, 4, value); break;
	case 7: vgic_dist_write(c, 0, 4, any(4) ? 3 : any(4)); break;
	case 8: vgic_sgi(c, (u64)any(16) << 24 | any(4)); break;
	case 9: vgic_set_level(any(2) ? IRQ_UART : 48 + any(32), any(2)); break;
	case 10: vgic_dist_write(c, 0x6100 + any(224) * 8, 8, any(3)); break;
	default:
		vgic_dist_read(c, any(0x7000), 1u << any(4), &read);
		vgic_redist_read(c, any(0x40000), 1u << any(4), &read);
	}
	if (any(2))
		vgic_flush(c);
}

static void check(struct cpu *c)
{
	u32 known = c->vgic.local.pending & c->vgic.local.hw, held[VGIC_BANKS] = { 0 };

	for (unsigned n = 0; n < LRS; n++) {
		u32 irq = (u32)lr[n] & 0xff;

		if (!STATE(lr[n]))
			continue;
		must(!(held[irq / 32] >> irq % 32 & 1), "one interrupt in two list registers");
		held[irq / 32] |= 1u << irq % 32;
		if (lr[n] >> 61 & 1)
			known |= 1u << (lr[n] >> 32 & 0x1f);
	}
	must(!(running & ~known), "a physical interrupt is active, and nobody will ever end it");
	must(!(known & ~running), "the guest's end would deactivate what is not active");
}

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;

	for (unsigned i = 0; i < 2; i++) {
		cpus[i] = calloc(1, sizeof(struct cpu));
		cpus[i]->index = i;
	}
	for (seed = first; seed < first + n; seed++) {
		state = seed;
		memset(&vgic_dist, 0, sizeof(vgic_dist));
		running = 0;
		for (unsigned i = 2; i--;)
			vgic_cpu_init(cpus[i]);
		vgic_dist_write(cpus[0], 0, 4, 3);
		for (unsigned i = 0; i < 400; i++) {
			step(cpus[0]);
			check(cpus[0]);
		}
		/* Everything deactivated and unpended, as a driver does that starts afresh: nothing may be left running. */
		for (u32 offset = 0x10180; offset <= 0x10380; offset += 0x100)
			vgic_redist_write(cpus[0], offset, 4, ~0u);
		must(!running, "left active after the guest has cleared all");
	}
	printf("taken=%lu ended=%lu\n", taken, ended);
	return 0;
}
