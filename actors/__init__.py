"""The runtime: the engine, the protocols and the actors that compute."""

import p2pfl.quick_torch  # noqa: F401 - every process that computes comes by here first
