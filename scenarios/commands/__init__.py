"""The commands of ``p2pfl``, a file for each group of them."""
