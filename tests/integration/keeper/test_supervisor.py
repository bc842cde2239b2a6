"""``schoolgate run``, whole: it comes up, mends what dies, refuses a second self, and leaves nothing behind."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.clients import eventually
from tests.integration.gateway.processes import SCHOOLGATE, Process, children, free_port, http_status

CHILDREN = {"keeper", "answerer"}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {
        "SCHOOLGATE_STATE_DIR": str(tmp_path / "state"),
        "SCHOOLGATE_STATUS": f"127.0.0.1:{free_port()}",
        "SCHOOLGATE_LISTEN": f"explicit@127.0.0.1:{free_port()}",
    }


@pytest.fixture
def running(settings: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    with Process((*SCHOOLGATE, "run"), settings, tmp_path / "run.log") as process:
        eventually(lambda: is_ready(process), within=60)
        yield process


def is_ready(process: Process) -> bool:
    process.check()
    return http_status(f"http://{process.environment['SCHOOLGATE_STATUS']}/readyz") == 200


def gone(process_id: int) -> bool:
    return not Path(f"/proc/{process_id}").exists()


@pytest.mark.parametrize("victim", ["keeper", "answerer"])
def test_what_dies_is_started_again(running: Process, victim: str) -> None:
    """Either process, killed, comes back by itself, and the gateway with it."""
    died = children(running.pid)[victim]
    os.kill(died, signal.SIGKILL)
    eventually(lambda: children(running.pid).get(victim, died) != died, within=60)
    eventually(lambda: is_ready(running), within=60)
    assert f"The {victim} ended (by SIGKILL)" in running.output


def test_a_second_run_refuses(running: Process, tmp_path: Path) -> None:
    """One state directory has one gateway; the sentence names the process that has it."""
    other = {**running.environment, "SCHOOLGATE_STATUS": "127.0.0.1:1", "SCHOOLGATE_LISTEN": "explicit@127.0.0.1:1"}
    second = Process(running.command, other, tmp_path / "second.log").start()
    assert second.running.wait(60) == 1
    assert f"process {running.pid}" in second.output
    assert "Traceback" not in second.output
    assert is_ready(running)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_everything_it_started(running: Process, number: signal.Signals) -> None:
    """Told to stop: exit code 0, no child left, its locks free."""
    started = children(running.pid)
    assert set(started) == CHILDREN
    running.running.send_signal(number)
    assert running.running.wait(60) == 0
    assert all(gone(process_id) for process_id in started.values())
    assert "Traceback" not in running.output


def test_its_children_die_with_it(running: Process) -> None:
    """Killed: nothing goes on enforcing with nobody watching over it."""
    started = children(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.running.wait(60)
    eventually(lambda: all(gone(process_id) for process_id in started.values()))


@pytest.mark.parametrize("setting", ["SCHOOLGATE_STATUS", "SCHOOLGATE_LISTEN"])
def test_a_taken_port_ends_it_with_a_sentence(settings: dict[str, str], tmp_path: Path, setting: str) -> None:
    """Exit code 2, once, naming the setting; not the same complaint over and over."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mode = "explicit@" if setting == "SCHOOLGATE_LISTEN" else ""
        wrong = {**settings, setting: f"{mode}127.0.0.1:{taken.getsockname()[1]}"}
        process = Process((*SCHOOLGATE, "run"), wrong, tmp_path / "run.log").start()
        assert process.running.wait(60) == 2
    assert setting.removeprefix("SCHOOLGATE_").lower() in process.output.lower()
    assert "Traceback" not in process.output
