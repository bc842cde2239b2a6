"""The session that ``login`` keeps: a token in a file of one's own, 0600. The store has only its hash.

Each terminal session has a file of its own, so that who signs in at one terminal does not sign in whoever types at
another, as the same user of the system, too. What runs without a terminal (cron, scripts) shares one file per user, or
names one in ``SCHOOLGATE_SESSION``.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from proxy.cli.errors import NotSignedIn
from proxy.cli.terminals import Terminal
from proxy.files import private_directory, replace_file

LARGEST = 4096
OF_TERMINAL = "session-"  # what the name of a terminal's file begins with


def session_file(environment: Mapping[str, str], terminal: Terminal | None) -> Path:
    """``SCHOOLGATE_SESSION``, else the terminal's own, where this user's settings are; else the one for all others."""
    if named := environment.get("SCHOOLGATE_SESSION"):
        return Path(named).expanduser().absolute()
    home = environment.get("XDG_CONFIG_HOME")
    ours = (Path(home) if home else Path.home() / ".config") / "schoolgate"
    return ours / (f"{OF_TERMINAL}{terminal.key}" if terminal is not None else "session")


def forget_gone(path: Path) -> None:
    """Delete what was kept beside ``path``, a terminal's file, for terminals that are gone."""
    if _terminal_of(path) is None or not path.parent.is_dir():
        return
    for kept in path.parent.iterdir():
        terminal = _terminal_of(kept)
        if terminal is not None and terminal.is_gone():
            forget_token(kept)


def _terminal_of(path: Path) -> Terminal | None:
    return Terminal.parse(path.name.removeprefix(OF_TERMINAL)) if path.name.startswith(OF_TERMINAL) else None


def read_token(path: Path) -> str | None:
    """The token, None where there is none. Raises NotSignedIn for a file that others could have read or written."""
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            raw = file.read(LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if about.st_mode & 0o077 or about.st_uid != os.geteuid():
        raise NotSignedIn(
            f"{path}: others can read this session, or it is somebody else's: it is not used.",
            hint="Delete it, then sign in again with `schoolgate login NAME`.",
        )
    return raw.decode("ascii", "replace").strip() or None


def keep_token(path: Path, token: str) -> None:
    private_directory(path.parent)
    replace_file(path, token.encode("ascii") + b"\n")


def forget_token(path: Path) -> None:
    path.unlink(missing_ok=True)
