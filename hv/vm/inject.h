/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions for the guest's EL1. */
#ifndef HV_INJECT_H
#define HV_INJECT_H

#include "cpu/frame.h"

/* Call it once, on the first CPU: all are alike. */
void inject_init(void);
/* AArch64.TakeException() to EL1 with this ESR_EL1; FAR_EL1 is written when `far` is not NULL. */
void inject(struct trap_frame *f, u64 esr, const u64 *far);
/* UNDEFINED: exception class 0. */
void inject_undef(struct trap_frame *f);
/* Synchronous external abort for the access that trapped (data or instruction, walk or not). */
void inject_abort(struct trap_frame *f);
/* The data abort of a load or store at `va`; `iss`: WnR, CM and the fault status. */
void inject_data_abort(struct trap_frame *f, u64 va, u64 iss);
/* The exception that EL2 took, as EL1 would have taken it. */
void inject_forward(struct trap_frame *f);
/* Virtual SError (HCR_EL2.VSE): taken when the guest unmasks it. */
void inject_serror(void);

#endif
