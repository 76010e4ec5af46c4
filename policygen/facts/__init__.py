# SPDX-License-Identifier: Apache-2.0
"""What the architecture and the board have: registers, trap controls, devices, calls, CPU models."""
