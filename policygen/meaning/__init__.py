# SPDX-License-Identifier: Apache-2.0
"""What a policy decides: the reference evaluator, its painting, comparisons, hashes, claims."""
