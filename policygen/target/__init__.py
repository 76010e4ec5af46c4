# SPDX-License-Identifier: Apache-2.0
"""What EL2 gets: trap controls, tables, C text; and whether those agree with the meaning."""
