/* SPDX-License-Identifier: Apache-2.0 */
/* What EL2 asks of the machine that it is started on. */
#ifndef HV_REQUIREMENTS_H
#define HV_REQUIREMENTS_H

/* Ends the machine, with one line that says what to start instead, if it is not the one of board.h. Needs mmu_init(). */
void require_machine(void);

#endif
