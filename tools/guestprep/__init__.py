# SPDX-License-Identifier: Apache-2.0
"""The parts of tools/linux_prep.py and guest_prep.py, which make what Charter needs to boot Linux or another kernel."""
