# SPDX-License-Identifier: Apache-2.0
"""policygen as a process, from this tree, started in any folder."""
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[3])

from policygen.__main__ import main      # noqa: E402

sys.exit(main())
