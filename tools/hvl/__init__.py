# SPDX-License-Identifier: Apache-2.0
"""The decoder of Charter's log (HVL1); needs only the standard library.

In the order in which a byte passes through: source (files, gzip) -> wire (RS, CRC) -> sequence (order, sessions) ->
record (bodies) -> run, fields, expr -> one module for each view; cli joins them.
"""
