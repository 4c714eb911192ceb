"""With several processes, tests that share what takes long to start are in one of them."""

import pytest


def test_the_processes_know_the_groups(request):
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("one process, or tests are not shared out by group")
    # Lost without a word where pytest and pytest-xdist do not fit each other.
    assert request.node.nodeid.endswith("@tests/test_groups.py")
