# SPDX-License-Identifier: Apache-2.0
"""`policygen fmt`: changes only layout, keeps comments, and changes nothing when run again."""
from __future__ import annotations

import random
from pathlib import Path

import pytest

from policygen.__main__ import main
from policygen.commands.fmt import plain, remarks, same_meaning
from policygen.language import store
from policygen.language.layout import formatted
from policygen.text import source
from policygen.text.diag import Diagnostics

HERE = Path(__file__).parent
SHIPPED = sorted((HERE.parents[1] / "policy").glob("*.yaml"))
ALL = SHIPPED + sorted((HERE / "good").glob("*.yaml")) + sorted((HERE / "bad").glob("*.yaml"))

MESSY = """\
# SPDX-License-Identifier: Apache-2.0
# about this file

tests:
- {read:   PMCCNTR_EL0,expect: deny}
-   read: MIDR_EL1      # the second
    expect: {value:  0x1}
#  between
-  { write: AFSR0_EL1,
     expect: allow }   # several lines


policy:   1
name: "messy"
about: >
  folded text # not a comment
  of two lines
platform: qemu-virt
hvc:   # calls
      # first comment
      default:   deny      # aligned



      'HV_PAUSE' : pause
assert:
  a: {access: el2,   always: deny}
  longer-name:   { read: pmu, never: allow }   # why
mmio: {default: deny}
sysregs:
    default: deny   #
    # before core
    core: { do: allow, why: "a # that is none: 'x'" }
# at the end
"""

NEAT = """\
# SPDX-License-Identifier: Apache-2.0
# about this file

policy: 1
name: "messy"

about: >
  folded text # not a comment
  of two lines

platform: qemu-virt

sysregs:
  default: deny   #
  # before core
  core: { do: allow, why: "a # that is none: 'x'" }

mmio: { default: deny }

hvc:   # calls
  # first comment
  default: deny      # aligned

  'HV_PAUSE': pause

assert:
  a:           { access: el2, always: deny }
  longer-name: { read: pmu, never: allow }   # why

tests:
  - { read: PMCCNTR_EL0, expect: deny }
  - read: MIDR_EL1      # the second
    expect: { value: 0x1 }
  #  between
  - { write: AFSR0_EL1,
     expect: allow }   # several lines

# at the end
"""


def parsed(text: str) -> source.Source:
    found = source.parse(text.encode(), "t.yaml", Diagnostics())
    assert found is not None and found.root is not None
    return found


def test_messy_becomes_neat() -> None:
    assert formatted(parsed(MESSY)) == NEAT
    assert same_meaning(parsed(MESSY)) == NEAT == formatted(parsed(NEAT))


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_policy_survives(path: Path) -> None:
    found = source.parse(path.read_bytes(), "t.yaml", Diagnostics())
    if found is None or found.root is None:
        return
    text = same_meaning(found)
    if path.stem in ("yaml-tricks", "boolean", "no-break-space"):
        return                              # YAML tricks and slips need not keep their meaning
    assert text is not None and formatted(parsed(text)) == text
    assert path.parent.name != "policy" or text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", range(30))
def test_disturbed_layout_is_restored(seed: int) -> None:
    """Changes blanks and indentation of a shipped file: its canonical layout stays."""
    pick = random.Random(seed)
    path = SHIPPED[seed % len(SHIPPED)]
    text = path.read_text(encoding="utf-8")
    factor = pick.choice((1, 2))
    out, depth = [], 0
    for line in text.splitlines():
        body = line.lstrip(" ")
        indent = (len(line) - len(body)) * factor
        before, code = depth, body.split("#")[0]
        depth += sum(code.count(c) for c in "{[") - sum(code.count(c) for c in "}]")
        if before:                                  # further lines of a value stay as they were written
            indent = len(line) - len(body)
        elif not depth and not body.startswith(("about", "why:")) and not set("#'\"") & set(body):
            body = body.replace("{ ", "{" + " " * pick.randint(0, 3)).replace(" }", " " * pick.randint(0, 2) + "}")
            body = body.replace(", ", "," + " " * pick.randint(1, 3))
        out.append(" " * indent + body + " " * pick.randint(0, 2))
        out += [""] * pick.randint(0, 1) if not line else []
    assert same_meaning(parsed("\n".join(out) + "\n")) == text


def test_comments_and_meaning_are_compared() -> None:
    one, two = parsed("policy: 1 # a\nname: x\n"), parsed("name: x\n# a\npolicy: 1\n")
    assert one.root is not None and two.root is not None
    assert plain(one.root, True) == plain(two.root, True) and remarks(one.lines) == remarks(two.lines)
    assert remarks(one.lines) != remarks(parsed("policy: 1 # b\n").lines)


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "messy.yaml"
    path.write_text(MESSY, encoding="utf-8")
    assert main(["fmt", "--check", str(path)]) == 1 and path.read_text(encoding="utf-8") == MESSY
    assert "would change" in capsys.readouterr().out
    assert main(["fmt", "--diff", str(path)]) == 1 and "+policy: 1" in capsys.readouterr().out
    assert main(["fmt", str(path)]) == 0 and path.read_text(encoding="utf-8") == NEAT
    assert main(["fmt", "--check", str(path), "-q"]) == 0
    assert main(["fmt", "--check"]) == 0, "the shipped policies are in canonical layout"
    path.write_text("a: [\n", encoding="utf-8")
    assert main(["fmt", str(path)]) == 1 and path.read_text(encoding="utf-8") == "a: [\n"
    assert main(["fmt", str(tmp_path / "nosuch.yaml")]) == 2
    assert store.policy_names()
