/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that calls.c makes: CALL(probe, what, how, id, x1, x2, x3, lo, hi). `how`: hvc or smc. x0 must be in lo..hi
 * (signed) if the policy has the hypervisor serve the call. id, x1 and x2 are the probe's, which a `where:` of the
 * policy looks at. The first call of a function is the one that limits.c repeats.
 */
#ifndef GUEST_CALLNAMES_H
#define GUEST_CALLNAMES_H

#include "guest.h"
#include "guest_calls.h"

#define ANY_ERROR    (-100), (-1)
#define NOT_KNOWN    (-1), (-1)
#define ZERO         0, 0
#define ANYTHING     -0x7fffffffffffffff, 0x7fffffffffffffff
#define NOT_NEGATIVE 0, 0x7fffffffffffffff

#define VENDOR       0x86000001

#define GUEST_CALLS(CALL) \
	CALL(GET_ID_0, "HV_GET_ID 0: the ID word", hvc, HV_GET_ID, 0, 0, 0, 1, 0x7fffffffffffffff) \
	CALL(GET_ID_1, "HV_GET_ID 1: the API version", hvc, HV_GET_ID, 1, 0, 0, NOT_NEGATIVE) \
	CALL(GET_ID_2, "HV_GET_ID 2: the build", hvc, HV_GET_ID, 2, 0, 0, ANYTHING) \
	CALL(GET_ID_3, "HV_GET_ID 3: the policy's hash", hvc, HV_GET_ID, 3, 0, 0, ANYTHING) \
	CALL(GET_ID_BAD, "HV_GET_ID 99: no such selector", hvc, HV_GET_ID, 99, 0, 0, ANY_ERROR) \
	CALL(GET_STATUS_0, "HV_GET_STATUS 0: decisions", hvc, HV_GET_STATUS, 0, 0, 0, 1, 0x7fffffffffffffff) \
	CALL(GET_STATUS_1, "HV_GET_STATUS 1: the last record", hvc, HV_GET_STATUS, 1, 0, 0, NOT_NEGATIVE) \
	CALL(GET_STATUS_2, "HV_GET_STATUS 2: records lost", hvc, HV_GET_STATUS, 2, 0, 0, NOT_NEGATIVE) \
	CALL(GET_STATUS_3, "HV_GET_STATUS 3: denials", hvc, HV_GET_STATUS, 3, 0, 0, NOT_NEGATIVE) \
	CALL(GET_STATUS_BAD, "HV_GET_STATUS 99: no such selector", hvc, HV_GET_STATUS, 99, 0, 0, ANY_ERROR) \
	CALL(DUMP_LOG, "HV_DUMP_LOG", hvc, HV_DUMP_LOG, 0, 0, 0, NOT_NEGATIVE) \
	CALL(WRITE_NOTHING, "HV_CONSOLE_WRITE of nothing", hvc, HV_CONSOLE_WRITE, GUEST_BUFFER, 0, 0, ZERO) \
	CALL(WRITE_GOOD, "HV_CONSOLE_WRITE of 8 bytes", hvc, HV_CONSOLE_WRITE, GUEST_BUFFER, 8, 0, 8, 8) \
	CALL(WRITE_LONG, "HV_CONSOLE_WRITE of 4097 bytes", hvc, HV_CONSOLE_WRITE, GUEST_BUFFER, 4097, 0, -100, 4096) \
	CALL(WRITE_OUTSIDE, "HV_CONSOLE_WRITE from a device", hvc, HV_CONSOLE_WRITE, GUEST_UART, 8, 0, ANY_ERROR) \
	CALL(WRITE_BELOW, "HV_CONSOLE_WRITE from below RAM", hvc, HV_CONSOLE_WRITE, GUEST_RAM - 1, 8, 0, ANY_ERROR) \
	CALL(WRITE_ACROSS, "HV_CONSOLE_WRITE across RAM's end", hvc, HV_CONSOLE_WRITE, GUEST_RAM_END - 7, 8, 0, \
	     ANY_ERROR) \
	CALL(WRITE_BEHIND, "HV_CONSOLE_WRITE from behind RAM", hvc, HV_CONSOLE_WRITE, GUEST_RAM_END, 8, 0, ANY_ERROR) \
	CALL(WRITE_WRAPS, "HV_CONSOLE_WRITE that wraps", hvc, HV_CONSOLE_WRITE, 0xfffffffffffffff8, 16, 0, ANY_ERROR) \
	CALL(WRITE_ENDLESS, "HV_CONSOLE_WRITE of 2^64-1 bytes", hvc, HV_CONSOLE_WRITE, GUEST_BUFFER, \
	     0xffffffffffffffff, 0, ANY_ERROR) \
	CALL(WRITE_LOW, "HV_CONSOLE_WRITE: x1 has 64 bits", hvc, HV_CONSOLE_WRITE, 0x1400e0000, 8, 0, ANY_ERROR) \
	CALL(REPORT, "HV_REPORT_EXCEPTION", hvc, HV_REPORT_EXCEPTION, 0xf2000123, GUEST_RAM, GUEST_BUFFER, \
	     NOT_NEGATIVE) \
	CALL(CALL_6, "function 6", hvc, 6, 0, 0, 0, NOT_KNOWN) \
	CALL(CALL_VENDOR, "function 0x86000001", hvc, VENDOR, 0, 0, 0, NOT_KNOWN) \
	CALL(CALL_VENDOR_2, "function 0x86000002", hvc, VENDOR + 1, 0, 0, 0, NOT_KNOWN) \
	CALL(CALL_VENDOR_3, "function 0x86000003", hvc, VENDOR + 2, 0, 0, 0, NOT_KNOWN) \
	CALL(CALL_VENDOR_5, "function 0x86000005, x1 2", hvc, VENDOR + 4, 2, 0, 0, NOT_KNOWN) \
	CALL(CALL_VENDOR_5_NOT, "function 0x86000005, x1 3", hvc, VENDOR + 4, 3, 0, 0, NOT_KNOWN) \
	CALL(CALL_VENDOR_5_X3, "function 0x86000005, x1 2, x3 1", hvc, VENDOR + 4, 2, 0, 1, NOT_KNOWN) \
	CALL(CALL_VENDOR_4, "function 0x86000004", hvc, VENDOR + 3, 0, 0, 0, NOT_KNOWN) \
	CALL(CALL_LAST, "function 0xffffffff", hvc, 0xffffffff, 0, 0, 0, NOT_KNOWN) \
	CALL(HVC_SMCCC_VERSION, "SMCCC_VERSION", hvc, SMCCC_VERSION, 0, 0, 0, 0x10000, 0x7fffffff) \
	CALL(HVC_PSCI_VERSION, "PSCI_VERSION", hvc, PSCI_VERSION, 0, 0, 0, 2, 0x7fffffff) \
	CALL(HVC_PSCI_FEATURES, "PSCI_FEATURES of PSCI_VERSION", hvc, PSCI_FEATURES, PSCI_VERSION, 0, 0, ZERO) \
	CALL(HVC_PSCI_FEATURES_BAD, "PSCI_FEATURES of 0x84000099", hvc, PSCI_FEATURES, 0x84000099, 0, 0, NOT_KNOWN) \
	CALL(HVC_PSCI_AFFINITY, "PSCI_AFFINITY_INFO of this CPU", hvc, PSCI_AFFINITY_INFO_64, 0, 0, 0, ZERO) \
	CALL(HVC_PSCI_CPU_ON_BAD, "PSCI_CPU_ON of CPU 99", hvc, PSCI_CPU_ON_64, 99, 0x40080000, 0, ANY_ERROR) \
	CALL(HVC_PSCI_CPU_ON_SELF, "PSCI_CPU_ON of this CPU", hvc, PSCI_CPU_ON_64, 0, 0x40080000, 0, ANY_ERROR) \
	CALL(SMC_SMCCC_VERSION, "SMCCC_VERSION", smc, SMCCC_VERSION, 0, 0, 0, 0x10000, 0x7fffffff) \
	CALL(SMC_PSCI_VERSION, "PSCI_VERSION", smc, PSCI_VERSION, 0, 0, 0, 2, 0x7fffffff) \
	CALL(SMC_PSCI_FEATURES, "PSCI_FEATURES of PSCI_VERSION", smc, PSCI_FEATURES, PSCI_VERSION, 0, 0, ZERO) \
	CALL(SMC_PSCI_CPU_ON_BAD, "PSCI_CPU_ON of CPU 99", smc, PSCI_CPU_ON_64, 99, 0x40080000, 0, ANY_ERROR) \
	CALL(SMC_VENDOR, "function 0x86000001", smc, VENDOR, 0, 0, 0, NOT_KNOWN) \
	CALL(SMC_LOW, "function 4, which is none by SMC", smc, HV_CONSOLE_WRITE, GUEST_BUFFER, 8, 0, NOT_KNOWN)

#endif
