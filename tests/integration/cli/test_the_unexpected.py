"""Readers that go away, disks that are full, bytes that are no text, faults in our own code."""

import subprocess
import sys

import pytest

from proxy.services import accounts


def test_a_fault_in_the_code_is_a_sentence(head, monkeypatch):
    """No traceback; where it happened is noted, and not what it was about."""

    visited = "visited" + ".example"

    def fault(*_args, **_kwargs):
        raise TypeError(visited)

    monkeypatch.setattr(accounts, "list_people", fault)
    result = head("people", "list", "--json")
    log = head.state_dir / "errors.log"
    assert result.code == 1
    assert (result.error["code"], "Traceback" in result.err) == ("internal", False)
    assert str(log) in result.error["hint"]
    assert log.stat().st_mode & 0o777 == 0o600
    assert "in fault" in log.read_text()
    assert visited not in log.read_text() + result.err
    assert "Traceback" in head("--debug", "people", "list").err


def test_whoever_reads_goes_away(head):
    """``| head`` is no fault."""
    with subprocess.Popen(
        [sys.executable, "-m", "proxy.cli", "catalogue", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(head.environment),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_full_disk_under_the_output(head):
    """What could not be printed is not done."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 -- a device
        done = subprocess.run(
            [sys.executable, "-m", "proxy.cli", "catalogue", "list", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=dict(head.environment),
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_arguments_that_are_no_text(head):
    """Bytes that are not UTF-8: wrong use."""
    done = subprocess.run(
        [sys.executable, "-m", "proxy.cli", "why", b"\xff\xfe", "--from", "10.20.0.10"],
        capture_output=True,
        check=False,
        env=dict(head.environment),
    )
    assert done.returncode == 2
    assert b"not UTF-8" in done.stderr


@pytest.mark.parametrize("command", [["people"], ["nosuch"], ["--json"], ["grants", "--nosuch"], ["grants", "extra"]])
def test_wrong_use(school, command):
    """Exit code 2; with ``--json`` an object."""
    assert school(*command).code == 2
    if "--json" in command:
        assert school(*command).error["code"] == "usage"
    else:
        assert school(*command, "--json").error["code"] == "usage"


def test_help_loads_neither_proxy_nor_store():
    """Typing ``--help`` waits for no engine."""
    code = """
import sys
from proxy.cli.app import run
run(["--help"])
heavy = {"mitmproxy", "sqlalchemy", "alembic", "cryptography", "ruamel.yaml", "rich"}
sys.exit(", ".join(sorted(heavy & set(sys.modules))) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
