/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile code in a cage: it runs until it takes an exception, whatever it does to registers, stack and tables. */
#ifndef GUEST_RUN_H
#define GUEST_RUN_H

#include "lib/types.h"

/*
 * Loads x0 to x30 and goes on at `entry` with SPSR_EL1 = spsr; returns when an exception is taken: the vector in bits
 * 39:32, the low half of ESR_EL1 below. The guest's start.S has called run_prepare() on this CPU, which sets vectors
 * and a stack.
 */
u64 run(const u64 x[31], u64 entry, u64 spsr);

#endif
