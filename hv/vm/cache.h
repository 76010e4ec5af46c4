/* SPDX-License-Identifier: Apache-2.0 */
/* Cache maintenance by VA that trapped: done on the guest's memory, through a checked translation. */
#ifndef HV_CACHE_H
#define HV_CACHE_H

#include "cpu/cpu.h"

/* DC IVAC, CVAC, CVAU, CIVAC and their like: cleans and invalidates, which is never less than asked. */
enum outcome cache_dc_va(struct trap_frame *f, u64 va);
/* DC ZVA. */
enum outcome cache_dc_zva(struct trap_frame *f, u64 va);
/* IC IVAU: everywhere, which is more than one line and never less. */
enum outcome cache_ic_va(void);

#endif
