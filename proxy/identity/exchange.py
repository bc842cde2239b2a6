"""What the processes that meet people say to the keeper, which knows their passwords: one question, one answer.

Over a Unix stream socket in the state directory; each message is its length and JSON. Both ends are schoolgate's own
and of one user, but neither trusts the other with its time or its memory: lengths and waits have bounds.
"""

import asyncio
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from proxy.identity.door import Identity, Unproven

LENGTH = struct.Struct("!H")
LARGEST = 8192  # bytes of JSON; twice what the longest question needs


@dataclass(frozen=True, slots=True)
class Question:
    """Whether this password is that name's. It shows itself without the password."""

    name: str
    password: str = field(repr=False)
    address: str

    @classmethod
    def read(cls, message: bytes) -> "Question":
        """Raises ValueError for what is none."""
        return cls(**_strings(json.loads(message), "name", "password", "address"))

    def message(self) -> bytes:
        return framed(asdict(self))


def answer_message(answer: Identity | Unproven) -> bytes:
    return framed({"unproven": answer.value} if isinstance(answer, Unproven) else asdict(answer))


def read_answer(message: bytes) -> Identity | Unproven:
    """Raises ValueError for what is none."""
    content = json.loads(message)
    if isinstance(content, dict) and "unproven" in content:
        return Unproven(content["unproven"])
    return Identity(**_strings(content, "person", "credential"))


async def ask(path: Path, question: Question) -> Identity | Unproven:
    """Put one question. Raises OSError, EOFError or ValueError; how long to wait is the caller's to say."""
    with reachable(path) as name:
        reader, writer = await asyncio.open_unix_connection(name, limit=LARGEST)
    try:
        writer.write(question.message())
        (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        return read_answer(await reader.readexactly(min(length, LARGEST)))
    finally:
        writer.transport.abort()  # nothing is left to say, and nothing waits for a peer that hangs


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for a socket that fits into a socket's address (108 bytes), however deep its directory lies."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def framed(content: dict[str, Any]) -> bytes:
    message = json.dumps(content, ensure_ascii=False).encode()
    if len(message) > LARGEST:
        raise ValueError("the message is too long")
    return LENGTH.pack(len(message)) + message


def _strings(content: object, *names: str) -> dict[str, str]:
    if isinstance(content, dict) and content.keys() == set(names) and all(isinstance(v, str) for v in content.values()):
        return content
    raise ValueError(f"the message does not hold just {', '.join(names)}")
