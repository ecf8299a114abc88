"""`make bench`: a table of goal and figure. Exits 1 when a figure is beyond three times its goal."""

from __future__ import annotations

import importlib
import sys

SUITES = ("processes", "thoughts", "local_model", "ledger", "completions", "prompts", "simulating")


def main() -> int:
    """Run the suites named on the command line, or all of them."""
    alarming = False
    print("| what | goal | figure | how |\n|---|---|---|---|")
    for name in sys.argv[1:] or SUITES:
        for figure in importlib.import_module(f"bench.{name}").measure():
            print(figure.row(), flush=True)
            alarming = alarming or figure.alarming
    return int(alarming)


if __name__ == "__main__":
    sys.exit(main())
