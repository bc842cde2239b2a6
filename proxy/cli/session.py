"""The session that ``login`` keeps: a token in a file of one's own, 0600. The store has only its hash."""

import os
from collections.abc import Mapping
from pathlib import Path

from proxy.cli.errors import NotSignedIn
from proxy.files import private_directory, replace_file

LARGEST = 4096


def session_file(environment: Mapping[str, str]) -> Path:
    """``SCHOOLGATE_SESSION``, else ``schoolgate/session`` where this user's settings are."""
    if named := environment.get("SCHOOLGATE_SESSION"):
        return Path(named).expanduser().absolute()
    home = environment.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "schoolgate" / "session"


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
