#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command that would go on after the reader of its output has gone (QEMU), and ends it then.

    tools/piped.py [--then TEXT] qemu-system-aarch64 ... | head -5

The command takes this process's place: terminal, signals and exit status are its own. Beside it one process only waits,
and only if the output is a pipe. With --then another one passes the input on, unless it is a terminal, and behind its end
types TEXT each second until the command ends: newer QEMUs lose input from before EL2 runs.
"""
from __future__ import annotations

import os
import select
import signal
import stat
import sys
from typing import Callable


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


def feed(pid: int, to: int, last: bytes) -> None:
    """Copies the input, and then `last`, each second, while the command lives."""
    poll, command, wait = select.poll(), os.pidfd_open(pid), None
    poll.register(0, select.POLLIN)
    poll.register(command, select.POLLIN)
    try:
        while True:
            ready = dict(poll.poll(wait))
            if command in ready:
                return
            data = os.read(0, 1 << 16) if ready else last
            if not data:
                poll.unregister(0)
                wait, data = 1000, last
            while data:
                data = data[os.write(to, data):]
    except OSError:         # the command has closed its input
        return


def beside(work: Callable[[], None], besides: int = -1) -> None:
    """A grandchild does this: the command does not see it as its child. It lacks one file."""
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            if besides >= 0:
                os.close(besides)
            work()
        os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    words, pid = sys.argv[1:], os.getpid()
    last = b""
    if words[:1] == ["--then"] and len(words) > 1:
        last, words = os.fsencode(words[1]) + b"\n", words[2:]
    if not words:
        sys.exit("usage: piped.py [--then TEXT] COMMAND ...")
    if is_pipe(1):
        beside(lambda: watch(pid))
    if last and not os.isatty(0):
        source, to = os.pipe()
        beside(lambda: feed(pid, to, last), source)
        os.dup2(source, 0)
        os.close(source)
        os.close(to)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        sys.exit(f"piped: {ascii(words[0])}: {error.strerror}")


if __name__ == "__main__":
    main()
