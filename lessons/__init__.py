"""The lessons, one file each, to be read in the order of their numbers."""
