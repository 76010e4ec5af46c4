# SPDX-License-Identifier: Apache-2.0
"""policygen reads Charter policies, proves what can be proved of them, and renders them as constant C tables."""
