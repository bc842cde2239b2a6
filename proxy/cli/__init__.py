"""The command ``schoolgate``: an adapter of a few lines per command over the services. Only this package prints."""

import sys


def main() -> None:
    """The console script."""
    from proxy.cli.app import run

    sys.exit(run(sys.argv[1:]))
