"""A life: who it is, how it begins, what it remembers."""
