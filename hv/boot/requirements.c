/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that the machine has all that EL2 needs; entry.S has checked for EL2 itself. */
#include "boot/requirements.h"
#include "arch/arch.h"
#include "board/board.h"
#include "board/gic.h"
#include "lib/print.h"
#include "lib/psci.h"

static void __attribute__((noreturn)) refuse(const char *text)
{
	kprintf("charter: %s\n", text);
	smc(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		wfi();
}

void require_machine(void)
{
	u64 value;

	/* An address without memory answers with an external abort. */
	if (!guarded_read(GUEST_PA + GUEST_SIZE - 8, 8, &value))
		refuse("the guest's RAM ends at " BOARD_GUEST_PA_END ", and this machine's before: start QEMU with " BOARD_MEMORY);
	if (gic_version() != 3)
		refuse("this machine has no GICv3: start QEMU with " BOARD_MACHINE);
}
