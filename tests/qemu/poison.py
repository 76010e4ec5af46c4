# SPDX-License-Identifier: Apache-2.0
"""Every register that EL1 has, by the architecture's list (policy/arch), written and read by EL2. A register that this
CPU lacks is skipped as in the guest's replays (hv/trap/replay.c), so that no list of CPUs is needed."""
import re
import sys
from pathlib import Path
from typing import List, Tuple

from vm import ROOT

sys.path.insert(0, str(ROOT))
from policygen.facts.arch import encoding, load_arch, split_key  # noqa: E402

# Registers that a reset need not write: PSTATE; views of other registers, and values that a clock moves; vendors' own;
# EL2's own view of ICC_*; SP_EL0, which is loaded on the way in; the double lock, which would stop EL2; the board's
# description by firmware; RMR_EL1, which resets; registers of Debug state; effects of writes (PMSWINC, PMZR); random
# numbers; profiling and tracing, whose buffers EL2 may not start. Those, activity monitors, system PMUs and error records
# count for the machine: the floor keeps them from every guest, and no replay gives them (test_first_state.py).
NOT_RESET = re.compile("|".join("""
    NZCV DAIF SPSel PAN UAO DIT TCO SSBS ALLINT CurrentEL OSDLR_EL1 ICC_.* .*_TVAL_EL0 PMX.*
    PM(INTEN|CNTEN|OVS)CLR.* SP_EL0 L2.* CPU.* CBAR.* CNTFRQ_EL0 RMR_EL1 DLR_EL0 DSPSR_EL0 DBGDTR.* PMSWINC_EL0
    PMZR_EL0 RNDR.* CNT[PV]CT.* ISR_EL1 MDCCSR_EL0 OSLAR_EL1
    PMS(CR|ICR|IRR|N?EVFR|FCR|LATFR|IDR|DSFR)_EL1 PMB.* TRB.* TRC.* TRFCR.*
    """.split()))


def registers() -> List[Tuple[str, int]]:
    """(name, key) of registers to read and, where the architecture allows, to write."""
    return [(register.name, register.key) for register in load_arch().by_key.values()
            if register.kind == "reg" and split_key(register.key)[1] < 4 and not NOT_RESET.fullmatch(register.name)]


def plant(tree: Path) -> int:
    """Writes poison(v) and look(u64 *out), `names` and N_NAMES into poison.h of a copy of the sources. Returns how
    many."""
    found = registers()
    stubs = "".join(f"\tmrs x0, {encoding(key)}\n\tret\n\tmsr {encoding(key)}, x0\n\tret\n" for _, key in found)
    for name in ("vmcr", "ap0r0", "ap1r0", "lr0", "lr3"):
        stubs += f"\tmrs x0, ich_{name}_el2\n\tret\n\tmsr ich_{name}_el2, x0\n\tret\n"
    names = [name for name, _ in found] + [f"ICH_{name}_EL2" for name in ("VMCR", "AP0R0", "AP1R0", "LR0", "LR3")]
    template = tree / "policygen/target/templates/replay.S.j2"
    text = template.read_text()
    mark = "\t.size\tpolicy_replay"
    assert text.count(mark) == 1
    template.write_text(text.replace(mark, f"\t.global poison_stubs\npoison_stubs:\n{stubs}{mark}"))
    (tree / "hv/arch/poison.S").write_text(VECTORS)
    (tree / "hv/boot/poison.h").write_text(f"""
extern const char poison_stubs[];
void poison_vectors(u64 v, bool sve, bool sme);
static const char *const names[] = {{ {", ".join(f'"{name}"' for name in names)} }};
#define N_NAMES ({len(names)})
static bool absent(void)
{{
    struct cpu *c = this_cpu();
    bool was = c->work & WORK_UNDEFINED;

    c->work &= ~WORK_UNDEFINED;
    return was;
}}
static unsigned poison(u64 v)
{{
    unsigned n = 0;

    for (unsigned i = 0; i < N_NAMES; i++) {{
        replay_write(poison_stubs + 16 * i, v);
        n += !absent();
    }}
    sysreg_write(cptr_el2, 0x22ff);
    isb();
    poison_vectors(v, sysreg_read(id_aa64pfr0_el1) >> 32 & 0xf, sysreg_read(id_aa64pfr1_el1) >> 24 & 0xf);
    return n;
}}
static inline void look(u64 *out)
{{
    for (unsigned i = 0; i < N_NAMES; i++) {{
        out[i] = replay_read(poison_stubs + 16 * i);
        if (absent())
            out[i] = 0;
    }}
}}
""")
    return len(names)


# x0 into all of V, Z, P and FFR and of ZA, which stays on, as firmware may leave it.
VECTORS = """
    .arch armv8.2-a+fp+simd+sve
    .text
    .global poison_vectors
poison_vectors:
    cbz x2, 1f
    .inst 0xd503477f                    /* SMSTART */
    adr x3, pattern
    mov w12, #0
    .inst 0x04bf5825                    /* rdsvl x5, #1 */
2:  .inst 0xe1000060                    /* ldr za[w12, 0], [x3] */
    add w12, w12, #1
    cmp w12, w5
    b.lo 2b
    .inst 0xd503427f                    /* SMSTOP SM */
1:  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    dup v\\n\\().2d, x0
    .endr
    cbz x1, 3f
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    dup z\\n\\().d, x0
    .endr
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    ptrue p\\n\\().b
    .endr
    wrffr p0.b
3:  ret
    .balign 16
pattern:
    .fill 256, 1, 0x5a
"""
