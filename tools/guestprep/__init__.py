# SPDX-License-Identifier: Apache-2.0
"""The parts of tools/linux_prep.py, which makes what Charter needs to boot an arm64 Linux."""
