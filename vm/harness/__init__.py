# SPDX-License-Identifier: MIT
"""The VM harness: what vm/run is made of."""
