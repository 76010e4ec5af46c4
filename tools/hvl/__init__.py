# SPDX-License-Identifier: Apache-2.0
"""The decoder of Charter's log (HVL1), standard library only.

In the order in which a byte meets them: source (files, gzip) -> wire (RS, CRC) -> sequence (order, sessions)
-> record (bodies) -> run, fields, expr -> one module for each view; cli puts them together.
"""
