"""What nobody expected is noted where the technician looks, and never shown as a traceback.

The note says where in the code it happened, never the error's own words: they may hold what was typed or stored.
"""

import os
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

LOG_NAME = "errors.log"
LARGEST = 1 << 20


def note(error: Exception) -> tuple[str, str]:
    """Write it down; a sentence and a hint for whoever typed the command."""
    log = _write(error)
    where = f"It is noted in {log}." if log else "It could not be noted."
    return f"Something unexpected went wrong ({type(error).__name__}).", f"{where} The command with --debug shows more."


def _write(error: Exception) -> Path | None:
    from proxy.settings import SettingsError, load

    with suppress(OSError, SettingsError):
        path = load(os.environ).settings.state_dir / LOG_NAME
        with suppress(FileNotFoundError):
            if path.stat().st_size > LARGEST:
                path.replace(path.with_suffix(".log.1"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            frames = "".join(traceback.format_tb(error.__traceback__))
            file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {type(error).__name__}\n{frames}")
        return path
    return None
