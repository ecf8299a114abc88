"""Which models there are, what they cost, and which one thinks."""
