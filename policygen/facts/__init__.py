# SPDX-License-Identifier: Apache-2.0
"""Facts of the architecture and the board: registers, trap controls, devices, calls, CPU models."""
