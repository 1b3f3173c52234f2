"""The command `node-data`: one module a command (group), imported when that command runs.

    run       the outer edge: exit codes, errors as one line, warnings, Ctrl-C
    root      the tree of commands
    command   what every command has: --json, and the address
    shell     what a command works with: the registry, the two streams
    words, tables, bars, targets, moments, …   how things are shown and read

`node-data --help` imports Click and nothing else of weight.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and exit with its code."""
    from nodedata_registry.cli.run import run

    sys.exit(run(sys.argv[1:]))
