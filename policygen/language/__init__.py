# SPDX-License-Identifier: Apache-2.0
"""The language: reads a policy file into a checked model, and writes a model back as text."""
