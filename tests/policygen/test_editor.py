# SPDX-License-Identifier: Apache-2.0
"""An operator's view while typing: the real YAML language server, with policygen's schema."""
from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from npm_packages import npm_packages

from policygen.__main__ import main
from policygen.language import store

ROOT = Path(__file__).resolve().parents[2]
HEAD = "# yaml-language-server: $schema=../build/policy.schema.json\n"
Place = Tuple[int, int]                         # line and column as people count them
Json = Any


class Editor:
    """As much of a language client as VS Code needs for completion, hover text and red lines."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number, self.shown = folder, 0, {}        # type: Path, int, Dict[str, Json]
        node = shutil.which("node") or shutil.which("nodejs")
        assert node, "nodejs is missing: run make setup"
        self.server = subprocess.Popen([node, str(npm_packages() / "yaml-language-server/bin/yaml-language-server"),
                                        "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.watch = threading.Timer(240, self.server.kill)         # the server's output then ends, and the test with it
        self.watch.start()
        self.ask("initialize", processId=None, rootUri=folder.as_uri(),
                 capabilities={"textDocument": {"completion": {}, "hover": {}, "publishDiagnostics": {}}})
        self.tell("initialized")

    def close(self) -> None:
        self.watch.cancel()
        self.server.kill()
        self.server.wait()

    def send(self, **message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.server.stdin is not None
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.server.stdin.flush()

    def receive(self) -> Json:
        stream, length = self.server.stdout, 0
        assert stream is not None
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server is gone"
        message = json.loads(stream.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.shown[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:               # the server asks for settings: there are none
            items = message["params"].get("items") if message["method"] == "workspace/configuration" else None
            self.send(id=message["id"], result=None if items is None else [{} for _ in items])
        return message

    def ask(self, method: str, **params: Json) -> Json:
        self.number += 1
        self.send(id=self.number, method=method, params=params)
        while True:
            message = self.receive()
            if message.get("id") == self.number and "method" not in message:
                return message["result"]

    def tell(self, method: str, **params: Json) -> None:
        self.send(method=method, params=params)

    def red(self, name: str, text: str, version: int = 1) -> List[Tuple[Place, str]]:
        """Opens a file, or changes it: the marks and their places."""
        uri = self.uri(name)
        self.shown.pop(uri, None)
        if version == 1:
            self.tell("textDocument/didOpen",
                      textDocument={"uri": uri, "languageId": "yaml", "version": 1, "text": text})
        else:
            self.tell("textDocument/didChange", textDocument={"uri": uri, "version": version},
                      contentChanges=[{"text": text}])
        while uri not in self.shown:
            self.receive()
        return sorted(((item["range"]["start"]["line"] + 1, item["range"]["start"]["character"] + 1), item["message"])
                      for item in self.shown[uri])

    def uri(self, name: str) -> str:
        return (self.folder / "policy" / name).as_uri()

    def at(self, name: str, place: Place) -> Dict[str, Json]:
        return {"textDocument": {"uri": self.uri(name)}, "position": {"line": place[0] - 1, "character": place[1] - 1}}

    def offers(self, name: str, place: Place) -> Dict[str, str]:
        """A completion at this place, with its description."""
        found = self.ask("textDocument/completion", **self.at(name, place))
        return {item["label"]: str(item.get("documentation", "")) for item in found["items"]}

    def hover(self, name: str, place: Place) -> str:
        found = self.ask("textDocument/hover", **self.at(name, place))
        return str(found["contents"]["value"]).replace("\\", "") if found else ""


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("clone")
    (folder / "policy").mkdir()
    (folder / "build").mkdir()
    assert main(["schema", "-o", str(folder / "build" / "policy.schema.json")]) == 0
    found = Editor(folder)
    yield found
    found.close()


@pytest.mark.parametrize("name", store.policy_names())
def test_nothing_is_red_in_a_shipped_policy(name: str, editor: Editor) -> None:
    assert not editor.red(f"{name}.yaml", HEAD + (ROOT / "policy" / f"{name}.yaml").read_text(encoding="utf-8"))


def test_what_is_broken_is_red_where_it_is(editor: Editor) -> None:
    good = HEAD + "policy: 1\nname: t\nsysregs:\n  default: deny\n  core: allow\nhvc:\n  HV_PAUSE: { do: pause }\n"
    assert not editor.red("t.yaml", good)
    for version, (old, new, place, said) in enumerate([
            ("core: allow", "core: alow", (6, 9), "allow"), ("core", "PMCCNTR_EL1", (6, 3), "PMCCNTR_EL1"),
            ("name: t", "nam: t", (3, 1), "nam"), ("do: pause", "do: pause, limit: 3", (8, 33), "string"),
            ("do: pause", "do: pause, lof: once", (8, 26), "lof"), ("policy: 1", "policy: 2", (2, 9), "1")], 2):
        assert good.count(old) == 1
        red = editor.red("t.yaml", good.replace(old, new), version)
        assert [where for where, _ in red] == [place] and said in red[0][1], (new, red)
    assert not editor.red("t.yaml", good, 100), "what is repaired is red no longer"


def test_completion_has_the_keys_the_names_and_the_words(editor: Editor) -> None:
    numbers = itertools.count()

    def offers(text: str) -> Dict[str, str]:
        """The completions at the bar."""
        name, before = f"c{next(numbers)}.yaml", (HEAD + text).split("|")[0]
        editor.red(name, HEAD + text.replace("|", ""))
        return editor.offers(name, (before.count("\n") + 1, len(before) - before.rfind("\n")))

    registers = offers("sysregs:\n  default: deny\n  PMCC|\n")
    assert registers["PMCCNTR_EL0"].startswith("S3_3_C9_C13_0 rw") and {"pmu", "core"} <= set(registers)
    assert not {"HV_PAUSE", "default"} & set(registers)
    assert {"allow", "deny", "raz-wi", "kill"} <= set(offers("sysregs:\n  core: |\n"))
    calls = offers("hvc:\n  default: deny\n  |\nmmio: { default: deny }\n")
    assert calls["PSCI_CPU_ON"].startswith("0x84000003") and "PMCCNTR_EL0" not in calls
    assert {"log", "limit", "where"} <= set(offers("hvc:\n  HV_PAUSE: { do: pause, lo| }\n"))
    assert set(offers("mmio:\n  uart0:\n    emulate: |\n")) >= {"pl011", "vgic-dist"}
    top = offers("policy: 1\nsysregs: { default: deny }\n|\n")
    assert {"features", "exceptions", "assert", "tests"} <= set(top) and "sysregs" not in top


def test_hover_tells_what_a_name_and_a_word_are(editor: Editor) -> None:
    assert not editor.red("h.yaml", HEAD + "policy: 1\nsysregs:\n  PMCCNTR_EL0: { write: deny, log: once }\n"
                          "  core: allow\nmmio:\n  uart0: deny\n")
    for place, said in (((3, 2), "trapped system registers"), ((4, 5), "S3_3_C9_C13_0 rw, pmu, FEAT_PMUv3"),
                        ((4, 19), "wider entry decides"), ((4, 33), "never, once or always"), ((5, 4), "encodings"),
                        ((5, 10), "`allow`: the real register"), ((7, 4), "0x09000000..0x09000fff PL011")):
        assert said in editor.hover("h.yaml", place), (place, editor.hover("h.yaml", place))
