#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command that would go on after the reader of its output has gone (QEMU), and ends it then.

    tools/piped.py qemu-system-aarch64 ... | head -5

The command takes this process's place: terminal, signals and exit status are its own. Beside it one process only waits,
and only if the output is a pipe.
"""
from __future__ import annotations

import os
import select
import signal
import stat
import sys


def watch(pid: int) -> None:
    """Waits until the command ends or the pipe's reader is gone: POLLERR, which poll() always reports."""
    poll, command = select.poll(), os.pidfd_open(pid)
    poll.register(1, 0)
    poll.register(command, select.POLLIN)
    ready = dict(poll.poll())
    if command not in ready:
        os.kill(pid, signal.SIGTERM)


def is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:     # closed
        return False


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: piped.py COMMAND ...")
    if is_pipe(1):
        pid, child = os.getpid(), os.fork()
        if child == 0:
            if os.fork() == 0:      # a grandchild: the command does not see it as its child
                watch(pid)
            os._exit(0)
        os.waitpid(child, 0)
    try:
        os.execvp(sys.argv[1], sys.argv[1:])
    except OSError as error:
        sys.exit(f"piped: {ascii(sys.argv[1])}: {error.strerror}")


if __name__ == "__main__":
    main()
