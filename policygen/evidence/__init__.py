# SPDX-License-Identifier: Apache-2.0
"""Evidence: a run's log as accesses, and its consequences for the policy."""
