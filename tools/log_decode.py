#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a capture of Charter's UART and tells what the hypervisor decided: the command line of tools/hvl."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hvl.cli import main  # noqa: E402  (the path above makes it found from any directory)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
