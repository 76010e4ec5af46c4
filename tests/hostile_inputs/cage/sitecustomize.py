# SPDX-License-Identifier: Apache-2.0
"""Imported first by Python where PYTHONPATH leads here: writes the files that the process opens and the programs that
it starts into the file named by HOSTILE_WATCH, one line each. No code of a tool can remove the hook."""
import os
import sys
from typing import Any, Tuple

_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.spawn", "pty.spawn")
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.link", "os.symlink",
            "shutil.rmtree")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_log = os.open(os.environ["HOSTILE_WATCH"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _told(word: str, what: object) -> None:
    name = os.fsdecode(what) if isinstance(what, (str, bytes, os.PathLike)) else repr(what)
    os.write(_log, ascii((word, os.path.join(os.getcwd(), name) if word != "start" else name)).encode() + b"\n")


def _hook(event: str, args: Tuple[Any, ...]) -> None:
    if event in _STARTS:
        _told("start", args[0])
    elif event in _CHANGES:
        folder = args[1] if event in ("os.remove", "os.rmdir") and args[1] != -1 else None
        _told("write", args[0] if folder is None else os.path.join(os.readlink(f"/proc/self/fd/{folder}"), args[0]))
    elif event == "open" and isinstance(args[0], (str, bytes, os.PathLike)):
        mode, flags = args[1] or "", args[2] or 0
        _told("write" if set(mode) & set("wax+") or flags & _WRITES else "read", args[0])
    elif event in ("socket.connect", "socket.bind"):
        _told("start", f"socket {args[1]}")


sys.addaudithook(_hook)
