# SPDX-License-Identifier: Apache-2.0
"""Puts the harness, the named inputs and the tools on the path."""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "tools"), str(HERE.parents[1] / "tools")]
