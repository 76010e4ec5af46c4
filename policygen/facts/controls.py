# SPDX-License-Identifier: Apache-2.0
"""The floor: EL2 controls that every policy has, and controls that policygen never uses."""
from __future__ import annotations

from typing import Dict, Mapping, Tuple

from policygen.facts.arch import Control

# Members of struct trap_controls in hv/policy/policy.h, in its order, in which EL2 writes them.
MEMBERS: Mapping[str, str] = {
    "HCR_EL2": "hcr", "MDCR_EL2": "mdcr", "CPTR_EL2": "cptr", "CNTHCTL_EL2": "cnthctl", "HSTR_EL2": "hstr",
    "ICH_HCR_EL2": "ich_hcr", "VPIDR_EL2": "vpidr", "VMPIDR_EL2": "vmpidr_or", "HCRX_EL2": "hcrx",
    "HFGRTR_EL2": "hfgrtr", "HFGWTR_EL2": "hfgwtr", "HFGITR_EL2": "hfgitr", "HDFGRTR_EL2": "hdfgrtr",
    "HDFGWTR_EL2": "hdfgwtr", "HFGRTR2_EL2": "hfgrtr2", "HFGWTR2_EL2": "hfgwtr2", "HFGITR2_EL2": "hfgitr2",
    "HDFGRTR2_EL2": "hdfgrtr2", "HDFGWTR2_EL2": "hdfgwtr2", "HAFGRTR_EL2": "hafgrtr", "MPAM2_EL2": "mpam2",
}

_FGT = ("ID_AA64MMFR0_EL1", "FGT", 1)
_FGT2 = ("ID_AA64MMFR0_EL1", "FGT", 2)

# ID fields, each with the least value, that show a register that not every CPU has.
THERE: Mapping[str, Tuple[Tuple[str, str, int], ...]] = {
    "HCRX_EL2": (("ID_AA64MMFR1_EL1", "HCX", 1),), "MPAM2_EL2": (("ID_AA64PFR0_EL1", "MPAM", 1),),
    "HFGRTR_EL2": (_FGT,), "HFGWTR_EL2": (_FGT,), "HFGITR_EL2": (_FGT,), "HDFGRTR_EL2": (_FGT,),
    "HDFGWTR_EL2": (_FGT,), "HFGRTR2_EL2": (_FGT2,), "HFGWTR2_EL2": (_FGT2,), "HFGITR2_EL2": (_FGT2,),
    "HDFGRTR2_EL2": (_FGT2,), "HDFGWTR2_EL2": (_FGT2,), "HAFGRTR_EL2": (_FGT, ("ID_AA64PFR0_EL1", "AMU", 1)),
}

# Bits that trap no register and on which everything else relies: (register, bit, name, reason).
STRUCTURE: Tuple[Tuple[str, int, str, str], ...] = (
    ("HCR_EL2", 0, "VM", "stage 2 translation: the guest sees its own memory only"),
    ("HCR_EL2", 2, "PTW", "no stage 1 table in a device: its walk might abort, and an AT of EL2's walks too"),
    ("HCR_EL2", 5, "AMO", "physical SErrors are EL2's"),
    ("HCR_EL2", 31, "RW", "EL1 is AArch64"),
)

# CPTR_EL2 bits that are RES1 with E2H = 0 on every CPU.
CPTR_RES1 = 0x22ff

# Trap controls that are set under every policy.
FLOOR: Mapping[str, str] = {
    "HCR_EL2.IMO": "physical interrupts are EL2's; the guest's ICC_* are the virtual ones",
    "HCR_EL2.FMO": "physical interrupts are EL2's; the guest's ICC_* are the virtual ones",
    "HCR_EL2.TSC": "an SMC of the guest must not reach the firmware: it can start a CPU at EL2",
    "HCR_EL2.TSW": "set/way operations act on caches that others share",
    "HCR_EL2.TIDCP": "IMPLEMENTATION DEFINED controls act on the whole core",
    "HCR_EL2.TACR": "ACTLR_EL1 is an IMPLEMENTATION DEFINED control",
    "HCR_EL2.TLOR": "LORegions are physical",
    "HCR_EL2.TERR": "error records are the machine's",
    "HCR_EL2.FIEN": "error injection",
    "HCR_EL2.TWI": "WFI would park the core while EL2 has work",
    "MDCR_EL2.TPM": "an event counter can be programmed to count at EL2",
    "MDCR_EL2.TPMCR": "goes with TPM",
    "MDCR_EL2.TDA": "debug registers could fire at EL2",
    "MDCR_EL2.TDOSA": "OS double lock and power-down requests stop the core's debug logic",
    "MDCR_EL2.TDRA": "the debug ROM address is physical",
    "MDCR_EL2.TTRF": "trace filtering",
    "MDCR_EL2.TPMS": "statistical profiling",
    "MDCR_EL2.E2PB": "a profiling buffer owned by EL1 would be written by physical agents",
    "MDCR_EL2.E2TB": "a trace buffer owned by EL1 would be written by physical agents",
    "MDCR_EL2.EnSPM": "System PMUs count for the whole machine",
    "MDCR_EL2.EBWE": "breakpoint banks",
    "MDCR_EL2.EnSTEPOP": "stepping out of line",
    "CPTR_EL2.TTA": "the trace unit sees EL2",
    "CPTR_EL2.TAM": "activity monitors count for the whole core",
    "ICH_HCR_EL2.TDIR": "what is ended may be in no list register: hv/dev/vgic_icc.c looks",
    "ICC_SRE_EL2.Enable": "the interrupt interface of EL1 is the System registers for good (hv/board/virt/gic.c)",
    "MPAM2_EL2.TRAPMPAM1EL1": "partition numbers are physical",
    "MPAM2_EL2.TRAPMPAM0EL1": "partition numbers are physical",
    "MPAM2_EL2.EnMPAMSM": "partition numbers are physical",
}

# Controls that are never used: their other effect, or the reason why they may be missing.
UNUSED: Mapping[str, str] = {
    "HCR_EL2.NV": "nested virtualisation", "HCR_EL2.NV1": "nested virtualisation",
    "HCR_EL2.AT": "only with FEAT_NV; HFGITR_EL2 has the bits", "HCR_EL2.TGE": "no guest at EL1",
    "HCR_EL2.HCD": "HVC would be UNDEFINED instead of decided",
    "HCR_EL2.TID4": "FEAT_EVT: a finer TID2", "HCR_EL2.TICAB": "FEAT_EVT: a finer TPU",
    "HCR_EL2.TOCU": "FEAT_EVT: a finer TPU", "HCR_EL2.TTLBIS": "FEAT_EVT: a finer TTLB",
    "HCR_EL2.TTLBOS": "FEAT_EVT: a finer TTLB", "MDCR_EL2.TDCC": "TDA is on anyway",
    "MDCR_EL2.TDE": "takes debug exceptions: set for those only",
    "MPAMHCR_EL2.TRAP_MPAMIDR_EL1": "not in struct trap_controls",
}

# Controls of instructions, not registers, that trap when 0: (feature that hides them).
INSTRUCTIONS: Mapping[str, str] = {
    "HCR_EL2.API": "pauth", "HCRX_EL2.MSCEn": "mops", "HCRX_EL2.EnALS": "ls64", "HCRX_EL2.EnASR": "ls64",
    "HCRX_EL2.EnAS0": "ls64",
}


def usable(control: Control) -> bool:
    return control.name not in UNUSED and control.register in MEMBERS


def values(active: Mapping[str, Control], known: Mapping[str, Control]) -> Dict[str, int]:
    """Register values in which the controls of `active` trap, and no others."""
    out = {register: 0 for register in MEMBERS}
    for register, bit, _, _ in STRUCTURE:
        out[register] |= 1 << bit
    out["CPTR_EL2"] |= CPTR_RES1
    for control in known.values():
        if control.register in MEMBERS and (control.name in active) == bool(control.traps_when):
            out[control.register] |= control.mask
    return out
