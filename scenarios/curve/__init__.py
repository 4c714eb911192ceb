"""How a result goes with one key, defense by defense, and where each breaks."""
