"""What a technician may not do alone waits, is listed, and is decided by SLT."""

import pytest

from tests.integration.cli.conftest import PASSWORDS


@pytest.fixture
def granted(school):
    """A group of devices that holds an authorisation; the technician is signed in."""
    school.act_as("head")
    assert school("devices", "add", "suite-1", "--address", "10.20.4.0/26", "--group", "suites").code == 0
    given = school("grant", "group:suites", "facebook", "--for", "2h", "--reason", "Open day posts")
    assert given.code == 0, given.err
    school.act_as("tech")
    return school


def test_from_asking_to_approving(granted):
    """Each side sees what it needs; approving does it, once."""
    asked = granted("devices", "add", "suite-2", "--address", "10.20.5.0/26", "--group", "suites")
    assert asked.code == 0
    assert "waits for SLT as change 1" in asked.out
    assert "device:suite-2 under authorisation 1" in asked.out
    assert [device["name"] for device in granted("devices", "list", "--json").json] == ["suite-1"]
    assert granted("changes", "approve", "1").code == 3
    assert "suite-2" in granted("changes", "list").out

    granted.act_as("deputy")
    [waiting] = granted("changes", "list", "--json").json
    assert (waiting["id"], waiting["state"], waiting["asked_by"]) == (1, "pending", "tech")
    done = granted("changes", "approve", "1")
    assert done.code == 0, done.err
    assert "This brought device:suite-2 under authorisation 1." in done.out
    assert granted("changes", "approve", "1").code == 1
    assert granted("changes", "list").out == "Nothing waits.\n"
    assert granted("changes", "list", "--all", "--json").json[0]["decided_by"] == "deputy"
    assert len(granted("devices", "list", "--json").json) == 2


def test_every_act_can_wait(granted):
    """JSON says so too, with the change instead of what would have been changed."""
    for command in (
        ("people", "add", "new", "--name", "New", "--role", "staff", "--group", "suites"),
        ("people", "groups", "j.smith", "--join", "suites"),
        ("devices", "change", "suite-1", "--address", "10.20.6.0/26"),
    ):
        waiting = granted(*command, "--json")
        assert waiting.code == 0, waiting.err
        assert waiting.json["state"] == "pending"
    assert [change["id"] for change in granted("changes", "list", "--json").json] == [1, 2, 3]
    assert granted("changes", "withdraw", "2", "--json").json["state"] == "withdrawn"
    granted.act_as("head")
    refused = granted("changes", "refuse", "3", "--reason", "Not for visitors", "--json")
    assert (refused.json["state"], refused.json["reason"]) == ("refused", "Not for visitors")
    shown = granted("changes", "list", "--all").out
    assert max(map(len, shown.splitlines())) <= 80
    assert granted("changes", "refuse", "1").code == 2


def test_a_password_is_not_kept_waiting(granted):
    """It appears nowhere in the state directory."""
    secret = "bramble teapot wren"
    command = ("people", "add", "new", "--name", "New", "--role", "staff", "--group", "suites", "--password-stdin")
    assert "waits for SLT" in granted(*command, stdin=f"{secret}\n").out
    for file in granted.state_dir.glob("schoolgate.db*"):
        assert secret.encode() not in file.read_bytes()


def test_devices_change_and_go(school):
    """What is said changes; what is said of nothing is wrong use."""
    school.act_as("tech")
    assert school("devices", "add", "office-3", "--address", "10.20.0.10", "--owner", "j.smith").code == 0
    changed = school(
        "devices", "change", "office-3", "--no-owner", "--rename", "office-4", "--join", "office", "--json"
    )
    assert changed.json == {"name": "office-4", "addresses": ["10.20.0.10"], "groups": ["office"], "owner": None}
    assert school("devices", "change", "office-4", "--address", "10.20.0.11").out == (
        "office-4 is now: 10.20.0.11, in office.\n"
    )
    assert school("devices", "change", "office-4").code == 2
    assert school("devices", "change", "office-4", "--owner", "head", "--no-owner").code == 2
    assert school("devices", "change", "office-4", "--leave", "choir").code == 1
    assert school("devices", "remove", "office-4").code == 0
    assert school("devices", "remove", "office-4").code == 1
    assert PASSWORDS["tech"] not in school("devices", "list").out
