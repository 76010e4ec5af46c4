/* SPDX-License-Identifier: Apache-2.0 */
/* Requirements of EL2 on its machine. */
#ifndef HV_REQUIREMENTS_H
#define HV_REQUIREMENTS_H

/* Ends the run, with one line that says which machine to start, unless this is the one of board.h. Needs mmu_init(). */
void require_machine(void);

#endif
