/* SPDX-License-Identifier: Apache-2.0 */
/* Boot as a list. A comment marks each line whose place in the order matters. */
#include "arch/arch.h"
#include "board/board.h"
#include "board/gic.h"
#include "board/integrity.h"
#include "board/mmu.h"
#include "board/uart.h"
#include "boot/guestload.h"
#include "boot/requirements.h"
#include "boot/watchdog.h"
#include "cpu/bootargs.h"
#include "cpu/cpu.h"
#include "cpu/smp.h"
#include "cpu/vtime.h"
#include "dev/vgic.h"
#include "dev/virtio.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/monitor.h"
#include "vm/stage2.h"
#include "vm/vcpu.h"

void main(void) __attribute__((noreturn));
void guest_enter(struct cpu *c) __attribute__((noreturn));

static void read_bootargs(void)
{
	const char *bad;

	if (!bootargs_parse((const char *)BOOTARGS_PA, BOOTARGS_SIZE, &bootargs, &bad))
		panic("boot arguments: unknown word at offset %u", (unsigned)(bad - (const char *)BOOTARGS_PA));
}

void main(void)
{
	struct cpu *c;
	struct guest guest;

	uart_init();                    /* first, so that any later failure can be reported */
	mmu_init();                     /* before code that relies on caches, unaligned access or W^X */
	require_machine();              /* before the GIC is asked for CPUs */
	smp_init();
	c = cpus[0];
	read_bootargs();
	console_escape = !bootargs.no_escape;
	stage2_init();
	gic_init();
	gic_cpu_init(0);
	vtime_init();                   /* before a timer is set */
	vcpu_controls();
	if (!gic_has_fiq())
		kprintf("charter: GICD_CTLR.DS is 0, so that EL2 has no FIQ: nothing watches over its loops\n");
	watchdog_start(c);              /* after vcpu_controls(): HCR_EL2.FMO routes its interrupt */
	guest_load(&guest);             /* a machine that will not do is refused before the guest's first instruction */
	log_set_mode(bootargs.log >= 0 ? (enum log_mode)bootargs.log : guest.bundled ? LOG_TEXT : LOG_NOTABLE, false);

	vgic_cpu_init(c);               /* after vcpu_controls(): HCR_EL2.IMO routes its interrupts */
	virtio_init();                  /* after gic_init(): it enables interrupts */
	uart_rx_interrupt(true);
	console_input(c);               /* input typed before now */

	log_header(c);
	log_event(c, EV_BOOT, 0, 0);
	log_event(c, EV_GUEST_ENTER, guest.entry, 1);
	log_drain(c, 0, false);         /* the header is on the line even if the guest never traps */
	vcpu_reset(c, guest.entry, guest.context);
	integrity_seal();               /* last: the tables do not change from here on */
	c->online = true;
	monitor_init(c);
	guest_enter(c);
}
