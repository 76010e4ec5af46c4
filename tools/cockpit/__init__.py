# SPDX-License-Identifier: Apache-2.0
"""The operator's cockpit: a terminal program on the host over the machine's one line."""
