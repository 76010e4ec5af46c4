# SPDX-License-Identifier: Apache-2.0
"""Puts the cockpit, the reference encoder of the log and the machines of the QEMU tests on the path."""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("tests/cockpit", "tools", "tests/decoder", "tests/qemu", ".")]
