# SPDX-License-Identifier: Apache-2.0
"""Meaning: the reference evaluator, the map of all decisions, comparisons, hashes, claims."""
