# SPDX-License-Identifier: Apache-2.0
"""What a run shows: a log as accesses, and what follows from it for the policy."""
