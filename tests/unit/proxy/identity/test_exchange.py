"""What goes between the processes: bounded, and nothing that is not understood."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.identity.door import Identity, Unproven
from proxy.identity.exchange import LARGEST, LENGTH, Question, answer_message, ask, framed, reachable, read_answer

QUESTION = Question("j.smith", "three: random words", "10.20.0.10")

type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def asked(path: Path, handler: Handler) -> Identity | Unproven:
    """What is made of this other end's answer."""

    async def main() -> Identity | Unproven:
        with reachable(path) as name:
            server = await asyncio.start_unix_server(handler, name)
        async with server, asyncio.timeout(20):
            return await ask(path, QUESTION)

    return asyncio.run(main())


def body(message: bytes) -> bytes:
    (length,) = LENGTH.unpack_from(message)
    assert length == len(message) - LENGTH.size
    return message[LENGTH.size :]


def answering(data: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(QUESTION.message()))
        writer.write(data)
        writer.close()

    return handler


def test_a_question_is_read_as_it_was_put() -> None:
    """Whatever is in the password."""
    assert Question.read(body(QUESTION.message())) == QUESTION


def test_a_question_shows_itself_without_the_password() -> None:
    """Wherever it is logged by mistake."""
    assert "random" not in f"{QUESTION} {QUESTION!r}"


@pytest.mark.parametrize("answer", [Identity("j.smith", "first"), *Unproven])
def test_an_answer_is_read_as_it_was_given(tmp_path: Path, answer: Identity | Unproven) -> None:
    """Through a real socket, in a directory whose name is too long for one."""
    folder = tmp_path / ("deep" * 40)
    folder.mkdir()
    assert asked(folder / "identity.sock", answering(answer_message(answer))) == answer


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b'"wrong"',
        b'{"unproven": "fine"}',
        b'{"unproven": []}',
        b'{"person": "j.smith"}',
        b'{"person": "j.smith", "credential": null}',
        b'{"person": "j.smith", "credential": "x", "more": "y"}',
        b'{"name": "j.smith", "password": "x"}',
        b'{"name": "j.smith", "password": 1, "address": "a"}',
    ],
)
def test_what_is_not_understood(content: bytes) -> None:
    """Neither a question nor an answer."""
    for read in (Question.read, read_answer):
        with pytest.raises(ValueError):  # noqa: PT011 -- which kind is the parser's own matter
            read(content)


@given(st.binary(max_size=200))
def test_whatever_arrives(content: bytes) -> None:
    """One of two kinds of message, or a ValueError."""
    for read in (Question.read, read_answer):
        try:
            read(content)
        except ValueError:
            continue


@pytest.mark.parametrize("data", [b"", b"\x00", LENGTH.pack(5), LENGTH.pack(2) + b"x", LENGTH.pack(65535) + b"x" * 9])
def test_an_answer_that_breaks_off(tmp_path: Path, data: bytes) -> None:
    """Is none."""
    with pytest.raises(EOFError):
        asked(tmp_path / "s", answering(data))


def test_nobody_there(tmp_path: Path) -> None:
    """No socket, no directory."""
    for path in (tmp_path / "s", tmp_path / "gone" / "s"):
        with pytest.raises(FileNotFoundError):
            asyncio.run(ask(path, QUESTION))


def test_too_long_to_send() -> None:
    """Nothing is put that would not be read."""
    with pytest.raises(ValueError, match="too long"):
        framed({"name": "x" * LARGEST})
