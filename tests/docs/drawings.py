# SPDX-License-Identifier: Apache-2.0
"""`make drawings`: the READMEs' SVGs, drawn from the lists that the tests read. argv: nothing, or --check."""
from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
INK, FAINT, LINE = "#1b2733", "#5b6b7a", "#9fb0bf"
TINTS = ["#e8f1ec", "#e6eef7", "#f7f0e2", "#f3e9f3", "#eaf3f4", "#f6eae6", "#eceaf6", "#f1f4e4", "#e4f0f8", "#f8ecdf",
         "#eeeeee"]


def text(x: float, y: float, words: str, size: int = 13, weight: str = "normal", fill: str = INK, anchor: str = "start",
         family: str = "sans-serif") -> str:
    return (f'<text x="{x:g}" y="{y:g}" font-family="{family}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
            f'text-anchor="{anchor}">{escape(words)}</text>')


def box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" fill="{fill}" stroke="{LINE}"/>'


def arrow(x1: float, y1: float, x2: float, y2: float, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{FAINT}" stroke-width="1.4"{dash} '
            'marker-end="url(#tip)"/>')


def svg(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">', f"<title>{escape(title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{FAINT}"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *parts, "</svg>\n"])


def items(readme: str, section: str) -> List[Tuple[str, str]]:
    """Name and sentence of each line of a section's list, in its order."""
    part = (ROOT / readme).read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^- `([\w./]+?)/?`: (.+)$", part, re.M)


def plain(words: str) -> str:
    return words.replace("`", "")


# --- rooms -----------------------------------------------------------------------------------------------------------

def rooms(folder: str, suffixes: Tuple[str, ...], needs: List[Tuple[str, str]]) -> str:
    """A house of floors, the ground at the bottom: name, sentence, files; needs as arrows up beside it."""
    floors = items(f"{folder}/README.md", "Rooms")
    height, left, width = 58, 10, 800
    top = 34
    parts = [text(left, 22, f"{folder}/: a room uses only what is below it", 15, "bold")]
    middle: Dict[str, float] = {}
    for at, (room, sentence) in enumerate(reversed(floors)):
        y = top + at * height
        stems = sorted({path.stem for path in (ROOT / folder / room).iterdir()
                        if path.suffix in suffixes and path.stem != "__init__"})
        parts += [box(left, y, width, height - 6, TINTS[at % len(TINTS)]),
                  text(left + 12, y + 22, f"{room}/", 15, "bold"), text(left + 110, y + 21, plain(sentence), 13),
                  text(left + 110, y + 40, shortened(stems, 104), 11, fill=FAINT, family="monospace")]
        middle[room] = y + height / 2 - 3
    x = left + width + 14.0
    rises = sorted({(need.split("/")[0], high) for need, sentence in needs for high in re.findall(r"`(\w+)/", sentence)
                    if high in middle}, key=lambda rise: (middle[rise[0]] - middle[rise[1]], rise))
    for low, high in rises:
        if low != high:
            way = f"M{left + width},{middle[low]:g} H{x:g} V{middle[high]:g} H{left + width + 1}"
            parts.append(f'<path d="{way}" fill="none" stroke="{FAINT}" stroke-dasharray="4 3" '
                         'marker-end="url(#tip)"/>')
            x += 11
    wide = int(x + 20 if needs else left + width + 10)
    if needs:
        parts.append(text(left, top + len(floors) * height + 12,
                          "dashed: a need that a lower room declares and an upper one implements", 12, fill=FAINT))
    return svg(wide, top + len(floors) * height + (22 if needs else 4), f"the rooms of {folder}", parts)


def shortened(words: List[str], width: int) -> str:
    line = " ".join(words)
    return line if len(line) <= width else line[:width].rsplit(" ", 1)[0] + " ..."


# --- the way of a trap ------------------------------------------------------------------------------------------------

def step(x: float, y: float, width: float, tint: str, name: str, file: str, what: str) -> List[str]:
    return [box(x, y, width, 64, tint), text(x + 10, y + 20, name, 13, "bold", family="monospace"),
            text(x + 10, y + 37, file, 11, fill=FAINT, family="monospace"), text(x + 10, y + 55, what, 12)]


def trap() -> str:
    steps = [("guest_slot", "trap/vectors.S", "saves the frame in the slot"),
             ("trap_sync()", "trap/trap.c", "exception class -> handler"),
             ("trap_sysreg() ...", "trap/trap_*.c", "finds the row, and its action"),
             ("fast_allow() ...", "trap/trap_*.c", "one action settles it"),
             ("trap_end()", "trap/trap.c", "moves the PC, injects or stops"),
             ("decide(), action", "trap/decide.c", "limits, arguments, an operator"),
             ("fast_end()", "trap/fast_path.h", "counts; a record if the row logs")]
    for name, file, _ in steps:
        code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "hv").glob(file))
        assert re.match(r"\w+", name)[0] in code, name  # type: ignore[index]
    parts = [text(10, 22, "From the vector slot to the action: three calls", 15, "bold"),
             box(10, 48, 110, 64, "#eeeeee"), text(65, 76, "the guest", 13, "bold", anchor="middle"),
             text(65, 95, "EL1, EL0", 11, fill=FAINT, anchor="middle")]
    for at in range(4):
        x = 160 + at * 225
        parts += [*step(x, 48, 198, TINTS[at], *steps[at]), arrow(x - (40 if at == 0 else 27), 80, x - 2, 80)]
    parts += [*step(385, 150, 198, TINTS[2], *steps[4]), *step(610, 150, 198, TINTS[2], *steps[5]),
              *step(835, 150, 205, TINTS[0], *steps[6]), arrow(709, 112, 709, 147), arrow(934, 112, 934, 147),
              text(717, 135, "slow_path()", 11, fill=FAINT, family="monospace"), arrow(610, 182, 586, 182),
              text(597, 230, "outcome", 11, fill=FAINT, anchor="middle", family="monospace"),
              arrow(385, 182, 68, 182), arrow(65, 182, 65, 115), text(75, 174, "ERET", 12, "bold"),
              f'<path d="M934,214 V252 H65 V184" fill="none" stroke="{FAINT}" stroke-width="1.4"/>',
              text(635, 246, "most traps", 11, fill=FAINT)]
    return svg(1050, 268, "the way of a trap", parts)


# --- the whole --------------------------------------------------------------------------------------------------------

def overview() -> str:
    """The authors of each part, its processing, and the evidence that comes back."""
    def titled(x: float, y: float, width: float, height: float, tint: str, name: str, *lines: str) -> List[str]:
        return [box(x, y, width, height, tint), text(x + 12, y + 23, name, 14, "bold"),
                *(text(x + 12, y + 43 + 17 * at, line, 12, fill=FAINT) for at, line in enumerate(lines))]
    return svg(860, 318, "a policy becomes tables, the tables decide, each decision leaves a record", [
        *titled(26, 30, 200, 84, TINTS[2], "policy/strict.yaml", "what the kernel may touch,", "one line a permission"),
        *titled(26, 190, 200, 84, TINTS[0], "policygen", "proves, explains, compares,", "renders constant tables"),
        *titled(300, 30, 260, 84, TINTS[1], "the guest's kernel", "EL1: Linux, an RTOS, yours,",
                "or the diagnostic guest"),
        *titled(300, 190, 260, 84, TINTS[3], "Charter", "EL2: looks up the row, acts,", "counts, makes a record"),
        *titled(650, 30, 200, 84, TINTS[0], "the operator", "monitor, gdb: stop the guest,", "ask why, change a rule"),
        *titled(650, 190, 200, 84, TINTS[0], "log_decode.py", "is the log whole? which line", "decided this? reports"),
        arrow(126, 114, 126, 187), text(134, 155, "checked", 12, fill=FAINT),
        arrow(226, 232, 297, 232), text(232, 224, "C tables", 12, fill=FAINT),
        arrow(390, 114, 390, 187), text(398, 155, "trap", 12, fill=FAINT),
        arrow(480, 190, 480, 117), text(488, 155, "outcome", 12, fill=FAINT),
        arrow(560, 232, 647, 232), text(572, 224, "UART line", 12, fill=FAINT),
        arrow(605, 232, 647, 100), text(614, 150, "^]", 12, fill=FAINT),
        f'<path d="M750,274 V302 H8 V72 H23" fill="none" stroke="{FAINT}" stroke-width="1.4" stroke-dasharray="4 3" '
        'marker-end="url(#tip)"/>',
        text(300, 296, "every record leads back to its line of the policy", 12, fill=FAINT)])


# --- memory ----------------------------------------------------------------------------------------------------------

def memory() -> str:
    """Physical addresses and the guest's (IPA) side by side, as README.md's contract has them."""
    def bars(x: float, title: str, spans: List[Tuple[str, str, str]]) -> List[str]:
        out = [text(x, 50, title, 13, "bold")]
        for at, (address, name, tint) in enumerate(spans):
            y = 62 + at * 40
            if not name:
                continue
            out += [box(x + 96, y, 270, 36, tint),
                    text(x + 90, y + 33, address, 11, fill=FAINT, anchor="end", family="monospace"),
                    text(x + 108, y + 23, name, 12)]
        return out
    guest, el2, device, none = "#e6eef7", "#f7f0e2", "#e8f1ec", "#ffffff"
    parts = [text(10, 22, "The board's physical addresses (PA), and what the guest finds at its own (IPA)", 15, "bold"),
             *bars(10, "PA: the board", [
                 ("0x72000000", "free, up to 0x80000000", none),
                 ("0x71e00000", "guest RAM: Linux DTB", guest),
                 ("0x46000000", "guest RAM: Linux initrd", guest),
                 ("0x42000000", "guest RAM: 768 MiB from here", guest),
                 ("behind it", "EL2: rings, row counters, tables", el2),
                 ("0x40080000", "EL2: text R-X, data RW-, constants R--", el2),
                 ("0x4007f000", "boot arguments", el2), ("0x09000000", "PL011", device),
                 ("0x08000000", "GICv3: GICD, GICR at 0x080a0000", device)]),
             *bars(440, "IPA: the guest", [
                 ("0x70000000", "nothing: an abort, decided by the policy", none),
                 ("0x6fe00000", "RAM: Linux DTB", guest),
                 ("0x44000000", "RAM: Linux initrd", guest), ("0x40000000", "RAM: the guest begins here", guest),
                 ("", "", none), ("", "", none),
                 ("", "devices: not mapped, each access traps", none),
                 ("0x09000000", "PL011, emulated", device),
                 ("0x08000000", "GICv3, emulated; list registers", device)])]
    return svg(830, 434, "the memory map", parts)


def drawings() -> Dict[str, str]:
    """The path of each drawing in the tree, and its text."""
    return {"hv/drawings/overview.svg": overview(),
            "hv/drawings/rooms.svg": rooms("hv", (".c", ".h", ".S"), items("hv/README.md", "Needs")),
            "hv/drawings/trap.svg": trap(), "hv/drawings/memory.svg": memory(),
            "policygen/drawings/rooms.svg": rooms("policygen", (".py",), [])}


def main() -> int:
    for name, drawn in drawings().items():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
