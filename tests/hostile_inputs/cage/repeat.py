# SPDX-License-Identifier: Apache-2.0
"""Runs one tool many times in one process: a line of JSON in (`tool`, arguments), its outcome out.

Starting Python would be most of a run's cost; the test is about `main()`, called as its file calls it.
"""
import contextlib
import importlib
import io
import json
import os
import sys
import traceback
from typing import List


def once(module: str, argv: List[str]) -> int:
    try:
        entry = importlib.import_module("hvl.entry")        # as the last lines of each tool's file have it
        return int(entry.guarded(module, importlib.import_module(module).main, argv))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        return 1


def main() -> None:
    sys.path[:0] = sys.argv[1:]
    for line in sys.stdin:
        module, argv = json.loads(line)
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = once(module, argv)
            out.flush()
            err.flush()
        said = [stream.buffer.getvalue().decode("latin-1") for stream in (out, err)]
        os.write(1, (json.dumps([status, *said]) + "\n").encode())


main()
