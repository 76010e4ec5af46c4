# SPDX-License-Identifier: Apache-2.0
"""Words, places and complaints: YAML with positions, without knowledge of policies or machines."""
