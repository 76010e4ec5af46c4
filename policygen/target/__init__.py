# SPDX-License-Identifier: Apache-2.0
"""The target: trap controls, tables and C text for EL2, and proofs that they agree with the policy's meaning."""
