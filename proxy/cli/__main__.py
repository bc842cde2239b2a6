"""``python -m proxy.cli`` is ``schoolgate``: how the supervisor starts its children, whatever is on PATH."""

from proxy.cli import main

if __name__ == "__main__":
    main()
