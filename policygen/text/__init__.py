# SPDX-License-Identifier: Apache-2.0
"""Words, places and complaints: YAML with positions, knowing nothing of policies or machines."""
