# SPDX-License-Identifier: Apache-2.0
"""Puts the decoder on the path, and sets how hard the fuzz tests try: HVL_FUZZ=N examples, new ones each time, instead
of the fixed few of the gate."""
import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]

_MANY = os.environ.get("HVL_FUZZ")
settings.register_profile("hvl", deadline=None, max_examples=int(_MANY) if _MANY else 60, derandomize=not _MANY,
                          database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("hvl")
