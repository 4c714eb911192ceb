"""The real clock: each peer a small event loop of its own, which calls the others directly."""
