# SPDX-License-Identifier: Apache-2.0
"""Each truth is said once: a change that forgets one of its places is told so, at build or by policygen. The omissions
are data: the edit of a copy of the tree, the targets made of it, and the words of the complaint."""
from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Tuple

import pytest

from hvl_host import ROOT

sys.path[:0] = [str(ROOT / "tests" / "qemu"), str(ROOT / "tools")]
import vm  # noqa: E402
from guestprep import layout  # noqa: E402
from policygen.facts.board import load_board, names  # noqa: E402
from policygen.facts.memory import memory_map  # noqa: E402

PLATFORM = "policy/platform/qemu-virt.yaml"
POLICY_H, SCHEMA = "hv/policy/policy.h", "policygen/language/schema.py"


@dataclass(frozen=True)
class Omission:
    what: str
    file: str
    old: str
    new: str
    made: Tuple[str, ...]       # targets below build/, or () for policygen alone
    words: Tuple[str, ...]      # each in what is said
    done: Tuple[Tuple[str, str, str], ...] = ()     # file, old, new: the other places of the change


OMISSIONS = [
    Omission("a device model without a handler in the platform file", PLATFORM, 'read: "vrtc_read(offset)", ', "", (),
             ("the model pl031 has no `read:`: its handler", f"{PLATFORM}:")),
    Omission("a model of a call without a handler", PLATFORM, "in: trap/hvcall.h, serve: psci_version }",
             "in: trap/hvcall.h }", (), ("the model psci-version has no `serve:`",)),
    Omission("a handler that no header declares", "hv/dev/vrtc.h", "u64 vrtc_read(u32 offset);\n", "",
             ("hv/trap/trap_mem.o",), ("models.h", "implicit declaration of function", "vrtc_read")),
    Omission("a handler that is declared and not there", "hv/dev/vrtc.c", "u64 vrtc_read(u32 offset)",
             "static u64 __attribute__((unused)) gone(u32 offset)", ("hypervisor.elf",), ("vrtc_read",)),
    Omission("a model without its enumerator", PLATFORM, "  pl031:                 {",
             '  pl061: { for: mmio, in: dev/vrtc.h, read: "vrtc_read(offset)", write: "vrtc_write(offset, value)" }\n'
             "  pl031:                 {", ("hv/trap/trap_mem.o",),
             ("has pl061, which enum model of hv/policy/policy.h lacks",)),
    Omission("an action's rows", POLICY_H, "\tACT_COUNT\n", "\tACT_TRACE,\n\tACT_COUNT\n",
             ("hv/trap/trap_sysreg.o", "hv/trap/trap_mem.o", "hv/trap/trap_call.o", "hv/trap/trap.o",
              "hv/operator/monitor_policy.o", "guest/diag/check.o"),
             ("trap_sysreg.c", "actions[] has a row for each enum action", "fast_paths[] has a row", "trap_mem.c",
              "act() has a case", "constant() has a case", "trap_exception() has a case", "effects[] has a text",
              "words[] has a text for each enum action"),
             ((SCHEMA, '    "deny": ActionWord(RAM',
               '    "trace": ActionWord(EVERY, BOTH, "none", "ALLOW", 7, "seen"),\n    "deny": ActionWord(RAM'),)),
    Omission("a refusal's rows", POLICY_H, "\tREFUSE_COUNT\n", "\tREFUSE_LATER,\n\tREFUSE_COUNT\n",
             ("hv/trap/trap_call.o", "hv/operator/monitor_policy.o", "guest/diag/check.o"),
             ("codes[] has a row for each enum refusal", "refusals[] has a text",
              "words[] has a text for each enum refusal"),
             ((SCHEMA, '{"serror": "SERROR"}', '{"serror": "SERROR", "later": "LATER"}'),)),
    Omission("a section's word", POLICY_H, "SEC_FEATURES, SEC_COUNT", "SEC_FEATURES, SEC_TIMERS, SEC_COUNT",
             ("hv/operator/monitor_say.o",),
             ("policy_sections[] has a word for each enum section",),
             ((SCHEMA, 'SECTIONS = ("features",', 'SECTIONS = ("timers", "features",'),)),
    Omission("a log mode's case", "hv/cpu/log.h", 'X(LOG_QUIET, "quiet")', 'X(LOG_QUIET, "quiet") X(LOG_ODD, "odd")',
             ("hv/log/log_text.o",), ("wanted() has a case for each enum log_mode",)),
    Omission("an event's text", "hv/cpu/log.h", 'X(EV_RESET, "reset", "")', "X(EV_RESET)", ("hv/log/log_text.o",),
             ("requires 4 arguments, but only 1 given", "EV_RESET")),
    Omission("an exception class's name", POLICY_H, "\tEXC_COUNT\n", "\tEXC_ODD = 66,\n\tEXC_COUNT\n",
             ("gen/policy_tables.o",), ("exception classes, and hv/policy/policy.h has 67",)),
    Omission("a trap control that nobody writes", POLICY_H, "\tu64 mpam2; ", "\tu64 mpamhcr;\n\tu64 mpam2; ",
             ("gen/policy_tables.o",), ("MEMBERS of policygen/facts/controls.py", "nothing would write it")),
    Omission("a trap control that C does not know", "policygen/facts/controls.py", '"MPAM2_EL2": "mpam2",\n}',
             '"MPAM2_EL2": "mpam2",\n    "MPAMHCR_EL2": "mpamhcr",\n}', ("gen/policy_tables.o",), ("mpamhcr",)),
    Omission("drivers of no folder", PLATFORM, "drivers: virt ", "drivers: real ", ("gen/policy_tables.o",),
             (f"`drivers` of {PLATFORM} is \"real\", and hv/board has no such folder",)),
    Omission("RAM that the memory has no room for", PLATFORM, "size: 1G }", "size: 512M }", (),
             ("the guest's RAM, 0x42000000..0x71ffffff, lies in the memory, 0x40000000..0x5fffffff", f"{PLATFORM}:")),
    Omission("RAM where the windows are", PLATFORM, "ram: { at: 0x40000000", "ram: { at: 0x80000000", (),
             ("RAM begins at 0x40000000",)),
    Omission("RAM whose size a guest has as a number", PLATFORM, "size: 768M", "size: 766M", ("guest/attack/attack.o",),
             ("guest/attack/attack.c has the addresses of qemu-virt as numbers",)),
    Omission("a device that goes elsewhere", PLATFORM, "uart0:        { at: 0x09000000",
             "uart0:        { at: 0x09100000", ("guest/attack/attack.o", "guest/fuzz/fuzz.o", "guest/bench/main.o"),
             ("guest/attack/attack.c has the addresses", "guest/fuzz/fuzz.c has", "guest/bench has the addresses")),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, with everything built once."""
    out = vm.sources(tmp_path_factory.mktemp("truths"), but="tests/")
    vm.make("build/gen/stamp", tree=out)
    return out


@pytest.fixture
def edited(tree: Path, omission: Omission) -> Iterator[Path]:
    before = {}
    for file, old, new in ((omission.file, omission.old, omission.new), *omission.done):
        text = before[file] = (tree / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file}: {old!r} is to stand there once"
        (tree / file).write_text(text.replace(old, new), encoding="utf-8")
    yield tree
    for file, text in before.items():
        (tree / file).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("omission", OMISSIONS, ids=lambda omission: omission.what)
def test_what_is_forgotten_is_told(edited: Path, omission: Omission) -> None:
    if omission.made:
        done = vm.make("-k", *(f"build/{name}" for name in omission.made), tree=edited, check=False)
    else:
        done = subprocess.run([sys.executable, "-m", "policygen", "--check", "default"], cwd=edited, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode != 0, "nobody complains"
    assert "Traceback" not in done.stdout, done.stdout
    for word in omission.words:
        assert word in done.stdout, f"{word!r} is not in:\n{done.stdout[-3000:]}"


def test_another_board_has_drivers_of_its_own(tree: Path) -> None:
    """A platform file and a folder: its files are built, no other board's, and the linker names what they lack."""
    shutil.copytree(tree / "hv/board/virt", tree / "hv/board/other")
    platform = tree / "policy/platform/other.yaml"
    platform.write_text("platform: 1\nname: other\nextends: qemu-virt\nabout: a test's\ndrivers: other\n", encoding="utf-8")
    words = ("build/other/hypervisor.elf", "B=build/other", "BOARD=other")
    try:
        vm.make(*words, tree=tree)
        assert {path.name for path in (tree / "build/other/hv/board").glob("*/*.o")} == {"uart.o", "gic.o"}
        assert not (tree / "build/other/hv/board/virt").exists()
        (tree / "hv/board/other/uart.c").unlink()
        done = vm.make(*words, tree=tree, check=False)
        assert done.returncode != 0 and "undefined reference to `uart_get'" in done.stdout, done.stdout[-3000:]
    finally:
        shutil.rmtree(tree / "hv/board/other")
        platform.unlink()


def test_the_tools_have_the_addresses_of_the_platform_file() -> None:
    facts = memory_map(load_board("qemu-virt"))
    for name, theirs in layout.TAKEN.items():
        assert getattr(layout, name) == facts[theirs], \
            f"tools/guestprep/layout.py: {name} is not {theirs} of {PLATFORM}: {facts[theirs]:#x}"
    assert layout.RAM_END == layout.RAM_BASE + layout.RAM_SIZE
    assert layout.BACKING == facts["GUEST_PA"] - facts["GUEST_IPA"], "tools/guestprep/layout.py: BACKING"


@pytest.mark.parametrize("name", names())
def test_another_boards_addresses_are_taken(name: str, tmp_path: Path) -> None:
    from policygen.target.platform import texts
    board = load_board(name)
    (tmp_path / "platform.json").write_text(texts(board)["platform.json"], encoding="utf-8")
    try:
        assert layout.take(tmp_path / "platform.json").startswith(board.machine)
        assert (layout.RAM_BASE, layout.RAM_END) == (board.ram[0], board.ram[1] + 1)
        assert layout.DTB_IPA + layout.DTB_MAX == layout.RAM_END
    finally:
        importlib.reload(layout)
