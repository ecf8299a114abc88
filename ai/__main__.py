"""`python -m ai` is the same as `alive`."""

from ai.cli import main

main()
