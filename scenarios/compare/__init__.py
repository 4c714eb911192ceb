"""Runs held against one another: what differs, how they fared, and where they part."""
