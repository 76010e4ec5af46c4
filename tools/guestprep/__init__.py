# SPDX-License-Identifier: Apache-2.0
"""The parts of tools/linux_prep.py, which prepares an arm64 Linux for booting under Charter."""
