/* SPDX-License-Identifier: Apache-2.0 */
/* Function identifiers and error codes (PSCI DEN 0022, SMCCC DEN 0028). */
#ifndef HV_PSCI_H
#define HV_PSCI_H

#define PSCI_1_1        0x10001UL /* the version that PSCI_VERSION returns */
#define PSCI_VERSION_ID    0x84000000u
#define PSCI_CPU_OFF       0x84000002u
#define PSCI_SYSTEM_OFF    0x84000008u
#define PSCI_SYSTEM_RESET  0x84000009u
#define PSCI_CPU_ON64      0xc4000003u
#define SMCCC_VERSION_ID   0x80000000u
#define SMC64              BIT(30)

#define SMCCC_NOT_SUPPORTED       (-1L)
#define PSCI_INVALID_PARAMETERS   (-2L)
#define PSCI_DENIED               (-3L)
#define PSCI_ALREADY_ON           (-4L)
#define PSCI_INVALID_ADDRESS      (-9L)

#endif
