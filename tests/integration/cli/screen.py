"""What comes out of a program that a test watches: at a terminal, or through a pipe."""

import os
import select
import time

DEADLINE = 60.0  # seconds


def read_until(descriptor: int, text: str | None) -> str:
    """What comes out until ``text`` does, or nothing more; ``None``: until nothing more does."""
    shown, ends = "", time.monotonic() + DEADLINE
    while (text is None or text not in shown) and time.monotonic() < ends:
        if not select.select([descriptor], [], [], 0.5)[0]:
            continue
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # a terminal whose other end is closed
            break
        if not piece:
            break
        shown += piece.decode(errors="replace")
    return shown
