"""The keeper's end: whose password it is, from the real store, through a real socket."""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from proxy.identity import verifying
from proxy.identity.door import Identity, Unproven
from proxy.identity.exchange import LENGTH, Question, read_answer
from proxy.identity.verifying import WAITING, WORKERS, VerifyingServer
from proxy.metrics import internal_errors
from proxy.services.back_off import FREE
from proxy.store.errors import StoreLocked
from tests.needs import require
from tests.unit.proxy.identity.conftest import BROWSING, SIGNING_IN, School

HERE, THERE, ELSEWHERE = "10.20.0.10", "10.20.1.10", "10.20.2.10"
QUESTION = Question("j.smith", BROWSING, HERE)
WRONG, WAIT, AWAY = Unproven.WRONG, Unproven.WAIT, Unproven.AWAY


def of_server(path: Path, sent: bytes = QUESTION.message()) -> Identity | Unproven | None:
    """What is answered to these bytes; None for a connection that is closed without an answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        with suppress(BrokenPipeError):  # it may be answered before it has been put
            connection.sendall(sent)
        return received(connection)


def received(connection: socket.socket) -> Identity | Unproven | None:
    data = b""
    with suppress(ConnectionResetError):  # what comes after an answer to a question that was not read
        while piece := connection.recv(9000):
            data += piece
    return read_answer(data[LENGTH.size :]) if data else None


# Whose password it is


@pytest.mark.parametrize(
    ("name", "password", "answer"),
    [
        ("j.smith", BROWSING, "j.smith"),
        ("J.Smith ", BROWSING, "j.smith"),
        ("j.smith", "wrong", None),
        ("j.smith", "", None),
        ("j.smith", BROWSING + "\0", None),
        ("j.smith", SIGNING_IN, None),
        ("head", SIGNING_IN, None),
        ("gone", BROWSING, None),
        ("new", BROWSING, None),
        ("new", SIGNING_IN, None),
        ("nobody", BROWSING, None),
        ("", BROWSING, None),
        ("j.smith", "x" * 4000, None),
    ],
)
def test_verified(school: School, name: str, password: str, answer: str | None) -> None:
    """The browsing password of an account that is open, and nothing else; the same work for each."""
    found = school.verifier().answer(Question(name, password, HERE))
    assert (found.person if isinstance(found, Identity) else found) == (answer or WRONG)
    assert len(school.checked) == 1


def test_the_credential_is_the_snapshots(school: School) -> None:
    """So that a decision can tell whether it still stands; a new password is another."""
    first = school.verifier().answer(QUESTION)
    school.set_browsing("j.smith", "another: three words")
    school.publish()
    second = school.verifier().answer(Question("j.smith", "another: three words", HERE))
    assert isinstance(first, Identity)
    assert isinstance(second, Identity)
    assert first.credential != second.credential
    assert second.credential == school.snapshot.members["j.smith"].browsing
    assert school.verifier().answer(QUESTION) is WRONG


@pytest.mark.parametrize("name", ["j.smith", "nobody", "gone"])
def test_guessing_at_one_device_waits_there(school: School, name: str) -> None:
    """Nobody's name like anybody's; the right password waits too; others, and the same person elsewhere, do not."""
    verifier = school.verifier()
    answers = [verifier.answer(Question(name, f"guess {n}", HERE)) for n in range(FREE + 3)]
    assert answers == [WRONG] * (FREE + 1) + [WAIT] * 2
    assert len(school.checked) == FREE + 1
    assert verifier.answer(Question(name, BROWSING, HERE)) is WAIT
    assert verifier.answer(Question(name, BROWSING, THERE)) is not WAIT
    assert isinstance(verifier.answer(Question("head", BROWSING, HERE)), Identity)


@pytest.mark.parametrize("name", ["j.smith", "nobody"])
def test_guessing_at_several_devices_waits_everywhere(school: School, name: str) -> None:
    """Also with a keeper that was started anew; until the time is up."""
    verifier = school.verifier()
    for device in (HERE, THERE):
        for n in range(FREE):
            verifier.answer(Question(name, f"guess {n}", device))
    assert school.verifier().answer(Question(name, BROWSING, ELSEWHERE)) is WAIT
    school.pass_time(timedelta(minutes=16))
    answer = school.verifier().answer(Question(name, BROWSING, ELSEWHERE))
    assert isinstance(answer, Identity) is (name == "j.smith")


@pytest.mark.parametrize("after", [timedelta(), timedelta(days=3)], ids=["at once", "after a weekend"])
def test_who_signed_in_before_is_not_kept_out_by_others(school: School, after: timedelta) -> None:
    """From where they did so; for a while. Elsewhere their name waits."""
    verifier = school.verifier()
    assert isinstance(verifier.answer(QUESTION), Identity)
    school.pass_time(after)
    for device in (THERE, ELSEWHERE):
        for n in range(FREE):
            assert verifier.answer(Question("j.smith", f"guess {n}", device)) in {WRONG, WAIT}
    assert verifier.answer(Question("j.smith", BROWSING, "10.20.3.10")) is WAIT
    assert verifier.answer(Question("j.smith", "wrong", HERE)) is WRONG
    assert isinstance(verifier.answer(QUESTION), Identity)


def test_one_laptop_with_many_addresses_makes_nobody_wait_elsewhere(school: School) -> None:
    """Guess after guess, each from a new address of its network, whenever it may."""
    verifier = school.verifier()
    for number in range(40):
        verifier.answer(Question("j.smith", f"guess {number}", f"10.20.9.{number + 1}"))
        school.pass_time(timedelta(minutes=16))
    assert isinstance(verifier.answer(QUESTION), Identity)


def test_the_right_password_is_forgiven_what_was_wrong(school: School) -> None:
    """As often as somebody mistypes it before."""
    verifier = school.verifier()
    for _ in range(3):
        for n in range(FREE):
            assert verifier.answer(Question("j.smith", f"guess {n}", HERE)) is WRONG
        assert isinstance(verifier.answer(QUESTION), Identity)


def test_a_new_password_ends_the_wait(school: School) -> None:
    """Whoever forgot theirs gets another, and need not wait."""
    for device in (HERE, THERE):
        verifier = school.verifier()
        for n in range(FREE):
            verifier.answer(Question("j.smith", f"guess {n}", device))
    school.set_browsing("j.smith", "another: three words")
    answer = school.verifier().answer(Question("j.smith", "another: three words", ELSEWHERE))
    assert isinstance(answer, Identity)


def test_without_the_store(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can look: not yet found, or in trouble."""
    assert verifying.Verifier(lambda: None, lambda: school.now).answer(QUESTION) is AWAY

    def locked() -> None:
        raise StoreLocked("The store is locked.")

    monkeypatch.setattr(school.store, "read", locked)
    assert school.verifier().answer(QUESTION) is AWAY


# The server


def test_served(school: School, server: Callable[..., VerifyingServer], tmp_path: Path) -> None:
    """Through the socket, which is the keeper's own user's, and goes with it."""
    path = tmp_path / "identity.sock"
    with server(school.verifier().answer):
        assert path.stat().st_mode & 0o777 == 0o600
        assert isinstance(of_server(path), Identity)
        assert of_server(path, Question("nobody", "x", HERE).message()) is WRONG
    assert not path.exists()


def test_a_socket_left_behind_is_replaced(server: Callable[..., VerifyingServer], tmp_path: Path) -> None:
    """As a keeper leaves it that was killed."""
    path = tmp_path / "identity.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with server(lambda _: WRONG):
        assert of_server(path) is WRONG


def test_what_else_lies_there_is_not_removed_for_it(server: Callable[..., VerifyingServer], tmp_path: Path) -> None:
    """A directory is somebody's."""
    (tmp_path / "identity.sock").mkdir()
    with pytest.raises(OSError, match=r"identity\.sock"):
        server(lambda _: WRONG)


@pytest.mark.parametrize(
    "sent",
    [
        LENGTH.pack(65535) + b"x" * 65535,
        LENGTH.pack(8193) + b"x" * 8193,
        LENGTH.pack(0),
        LENGTH.pack(2) + b"{}",
        LENGTH.pack(8192) + b"[" * 8192,
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(20_000),
    ],
)
def test_nonsense(server: Callable[..., VerifyingServer], tmp_path: Path, sent: bytes) -> None:
    """Nobody is found by it, and the next question is answered."""
    path = tmp_path / "identity.sock"
    with server(lambda _: Identity("j.smith", "first")), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.settimeout(20)
        with suppress(BrokenPipeError, ConnectionResetError):  # it would not hear more
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        assert received(connection) in {None, AWAY}
        assert of_server(path) == Identity("j.smith", "first")


def test_whoever_says_nothing_holds_nobody_up_for_long(
    server: Callable[..., VerifyingServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every question has its time, from its arrival on."""
    monkeypatch.setattr(verifying, "DEADLINE", 0.3)
    path = tmp_path / "identity.sock"
    with server(lambda _: WRONG), ExitStack() as silent:
        for _ in range(WORKERS):
            silent.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))
        assert any(of_server(path) is WRONG for _ in range(100))  # the first ones may wait too long behind them


def test_few_are_checked_at_a_time(server: Callable[..., VerifyingServer], tmp_path: Path) -> None:
    """Argon2 has its memory; a few more wait, and whoever comes then is told at once."""
    path = tmp_path / "identity.sock"
    at_work, most, go_on = [], [0], threading.Event()

    def slowly(_: Question) -> Unproven:
        at_work.append(1)
        most[0] = max(most[0], len(at_work))
        go_on.wait(20)
        at_work.pop()
        return WRONG

    with server(slowly), ExitStack() as stack:
        try:
            waiting = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(WORKERS + WAITING)]
            for connection in waiting:
                connection.settimeout(20)
                connection.connect(str(path))
                connection.sendall(QUESTION.message())
            assert of_server(path) is AWAY
        finally:
            go_on.set()
        assert [received(connection) for connection in waiting] == [WRONG] * len(waiting)
    assert most == [WORKERS]


def test_a_fault_is_counted_and_nobody_gets_in(
    server: Callable[..., VerifyingServer],
    tmp_path: Path,
    failures,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Told as "nobody could look", without what was asked."""

    def broken(_: Question) -> Identity:
        raise ZeroDivisionError

    with caplog.at_level(logging.DEBUG), server(broken):
        assert of_server(tmp_path / "identity.sock") is AWAY
    assert failures.labels("identity")._value.get() == 1
    assert "ZeroDivisionError" in caplog.text
    assert BROWSING not in caplog.text


def test_it_ends_while_questions_wait(server: Callable[..., VerifyingServer], tmp_path: Path) -> None:
    """They are hung up on."""
    path = tmp_path / "identity.sock"
    busy, go_on = threading.Semaphore(0), threading.Event()

    def slowly(_: Question) -> Unproven:
        busy.release()
        go_on.wait(20)
        return WRONG

    with ExitStack() as stack:
        ended = stack.enter_context(ExitStack())
        ended.enter_context(server(slowly))
        connections = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(WORKERS + 3)]
        for connection in connections:
            connection.settimeout(20)
            connection.connect(str(path))
            connection.sendall(QUESTION.message())
        for _ in range(WORKERS):
            assert busy.acquire(timeout=20)
        closing = threading.Thread(target=ended.close)
        closing.start()
        assert received(connections[-1]) is None
        go_on.set()
        closing.join()
        assert [received(connection) for connection in connections[:-1]] == [WRONG] * WORKERS + [None] * 2


def test_nobody_elses_user_is_answered() -> None:
    """Even where the file's permissions would let them."""
    require("root")
    folder = Path(tempfile.mkdtemp(prefix="sg-peer-"))
    path = folder / "identity.sock"
    ask = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])\n"
    ask += "try: s.sendall(bytes.fromhex(sys.argv[2])); print(s.recv(99))\nexcept OSError: print(b'')"
    command = [sys.executable, "-I", "-c", ask, str(path), QUESTION.message().hex()]
    try:
        folder.chmod(0o755)
        with VerifyingServer(path, lambda _: Identity("j.smith", "first"), internal_errors(CollectorRegistry())):
            path.chmod(0o666)
            as_us = subprocess.run(command, capture_output=True, text=True, check=True)
            python = ["/usr/bin/python3", *command[1:]]
            as_them = subprocess.run(
                python, capture_output=True, text=True, check=True, user="nobody", group="nogroup", extra_groups=[]
            )
    finally:
        folder.rmdir()
    assert "j.smith" in as_us.stdout
    assert as_them.stdout.strip() == "b''"
