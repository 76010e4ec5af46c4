# SPDX-License-Identifier: Apache-2.0
"""The language: a policy file as written, to a checked model and back to text."""
