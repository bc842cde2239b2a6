"""Reading what a client says it is: exactly right, or nothing."""

import re
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.identity.basic import LARGEST, Basic, parse


def field(sent: str | bytes, scheme: str = "Basic ") -> str:
    return scheme + b64encode(sent if isinstance(sent, bytes) else sent.encode()).decode()


@pytest.mark.parametrize(
    ("value", "name", "password"),
    [
        ("Basic ai5zbWl0aDpodW50ZXI=", "j.smith", "hunter"),
        (field("j.smith:three random words"), "j.smith", "three random words"),
        (field("j.smith:a:b::c"), "j.smith", "a:b::c"),
        (field("j.smith:"), "j.smith", ""),
        (field("J.Smith:Pässwörter 密码 🔑"), "j.smith", "Pässwörter 密码 🔑"),
        (field(" j.smith :x"), "j.smith", "x"),
        (field("j.smith:x", "bAsIc "), "j.smith", "x"),
        (field("j.smith:x", " \tBASIC   ") + " \t", "j.smith", "x"),
    ],
)
def test_read(value: str, name: str, password: str) -> None:
    """The scheme in any case, UTF-8, colons in the password; the name as commands know it."""
    assert parse(value) == Basic(name, password)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Basic =",
        "Basic :",
        "Basic j.smith:x",
        "Bearer ai5zbWl0aDpodW50ZXI=",
        "Negotiate YII",
        "Basic\tai5zbWl0aDpodW50ZXI=",
        "Basicai5zbWl0aDpodW50ZXI=",
        "ai5zbWl0aDpodW50ZXI=",
        "Basic ai5zbWl0aDpodW50ZXI",
        "Basic ai5zbWl0aDpodW50ZXI==",
        "Basic ai5zbWl0aDpodW50ZXJ=",  # bits left over that are not zero
        "Basic ai5zbWl0aDpo dW50ZXI=",
        "Basic ai5zbWl0aDpo\ndW50ZXI=",
        "Basic ai5zbWl0aDpodW50ZXI=, Basic ai5zbWl0aDpodW50ZXI=",
        "Basic ai5zbWl0aDpodW50ZXI=\udce9",
        "Basic ａｉ５ｚ",
        field("j.smith"),
        field(":x"),
        field("1234:x"),
        field("two words:x"),
        field("../../etc/passwd:x"),
        field("j.smith/browsing:x"),
        field("j.smith\0:x"),
        field("j.smith:x\0"),
        field("j.smith:x\r\nProxy-Authorization: y"),
        field("j.smith:\x7f"),
        field("j.smith:\x9f"),
        field("j" * 64 + ":x"),
        field(b"j.smith:\xff"),
        field("j.smith:ä".encode("latin-1")),
        field("j.smith:x".encode("utf-16")),
        field(b"j.smith:\xed\xa0\x80"),  # a lone surrogate
        field("j.smith:" + "x" * LARGEST),
        "Basic " + "A" * 1_000_000,
        " " * 1_000_000,
    ],
)
def test_nothing(value: str) -> None:
    """Whatever is not exactly right names nobody."""
    assert parse(value) is None


names = st.from_regex(r"[a-z][a-z0-9._-]{0,40}[a-z0-9]", fullmatch=True)
passwords = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=300)


@given(names, passwords)
def test_what_was_sent_is_read(name: str, password: str) -> None:
    """Any name that somebody could have, any password without control characters."""
    assert parse(field(f"{name}:{password}")) == Basic(name, password)


sent = st.binary(max_size=60) | st.builds(lambda n, p: f"{n}:{p}".encode(errors="ignore"), names | st.text(), st.text())
tokens = st.text(max_size=60) | sent.map(lambda data: b64encode(data).decode())
schemes = st.sampled_from(["Basic", "basic", "BASIC", "Bearer", "Basic:", ""]) | st.text(max_size=8)
gaps = st.text(" \t", max_size=3)
values = st.text() | st.tuples(schemes, gaps, tokens).map("".join)


@given(values)
def test_whatever_is_sent(value: str) -> None:
    """It never raises; where it names somebody, the field was in every point as the standard has it."""
    if (read := parse(value)) is None:
        return
    found = re.fullmatch(r"[ \t]*(?i:basic) [ \t]*([A-Za-z0-9+/]+=*)[ \t]*", value)
    assert found is not None
    decoded = b64decode(found[1], validate=True).decode("utf-8", "strict")
    name, colon, password = decoded.partition(":")
    assert (colon, password) == (":", read.password)
    assert re.fullmatch(r"[a-z0-9._-]{1,63}", read.name)
    assert read.name.isascii()
    assert not set(decoded) & {chr(n) for n in (*range(32), *range(127, 160))}
    assert name
