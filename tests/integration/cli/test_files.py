"""Policy, catalogue, CA, devices and store from the command."""

import json
import shutil
import sqlite3
import stat
from contextlib import closing

import pytest
from cryptography import x509

from policies.loading import default_policy_path
from proxy.store.models import LedgerRow


def test_policy_check(bare):
    """The policy that comes with schoolgate is right; it needs no state directory."""
    result = bare("policy", "check", "--json")
    assert result.code == 0, result.err
    assert result.json["examples"] > 0


@pytest.mark.parametrize(
    "content", [b"", b"school: [", b"\xff\xfe", b"x: 1\n", b"a: " * 50_000, b"\t- x", b"- 1\n" * 400_000]
)
def test_policy_check_of_a_wrong_file(bare, content):
    """The file and the line, exit code 1."""
    path = bare.state_dir.parent / "policy.yaml"
    path.write_bytes(content)
    result = bare("policy", "check", str(path), "--json")
    assert result.code == 1
    assert result.error["code"] == "policy_invalid"
    assert str(path) in result.error["message"]


def test_policy_check_runs_the_examples(bare):
    """An example that does not hold is an error."""
    path = bare.state_dir.parent / "policy.yaml"
    wrong = "\n  - {from: estate, host: www.facebook.com, verdict: allow, reason: authorised}\n"
    path.write_text(default_policy_path().read_text(encoding="utf-8").replace("\nexamples:", "\nexamples:" + wrong))
    result = bare("policy", "check", str(path))
    assert result.code == 1
    assert "www.facebook.com" in result.err
    assert "expected allow" in result.err


def test_policy_check_of_no_file(bare):
    """A path that is not there, a directory."""
    for path in ("/nonexistent/policy.yaml", str(bare.state_dir.parent)):
        assert bare("policy", "check", path).code == 1


def test_policy_show_and_schema(bare):
    """For people, for programs, for editors."""
    shown = bare("policy", "show").out
    assert "estate" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "networks" in bare("policy", "show", "--json").json
    assert bare("policy", "schema").json["type"] == "object"


def test_catalogue(bare):
    """Listed, by category, and found by host."""
    every = bare("catalogue", "list", "--json").json
    forums = bare("catalogue", "list", "--category", "forum", "--json").json
    assert 0 < len(forums) < len(every)
    found = bare("catalogue", "find", "M.FACEBOOK.com.", "--json").json
    assert (found["host"], found["service"]["key"]) == ("m.facebook.com", "facebook")
    assert "in no catalogue" in bare("catalogue", "find", "notfacebook.com").out
    assert bare("catalogue", "find", "notfacebook.com", "--json").json["service"] is None
    assert bare("catalogue", "find", "face book").code == 2
    assert bare("catalogue", "list", "--category", "\x1b[31m").code == 1
    assert max(map(len, bare("catalogue", "list").out.splitlines())) <= 80


def test_ca(bare):
    """Made once, told, exported as nothing but PEM."""
    assert bare("ca", "init").code == 0
    again = bare("ca", "init", "--json")
    assert again.code == 1
    assert again.error["code"] == "ca_exists"
    told = bare("ca", "status", "--json").json
    assert told["root_key_present"] is True
    assert told["lacking"] == []
    assert told["root"]["fingerprint"] in bare("ca", "status").out.replace("\n", "").replace(" ", "")
    exported = bare("ca", "export").out
    assert exported.startswith("-----BEGIN CERTIFICATE-----\n")
    assert exported.endswith("-----END CERTIFICATE-----\n")
    assert len(x509.load_pem_x509_certificates(exported.encode())) == 1


def test_no_ca(school):
    """Where there is a state directory and no CA, it says how to make one."""
    shutil.rmtree(school.state_dir / "ca")
    for command in ("status", "export"):
        result = school("ca", command)
        assert result.code == 1
        assert "schoolgate ca init" in result.err
        assert result.out == ""


def test_devices(head):
    """Added with owner and group, listed; what does not fit is refused."""
    added = head("devices", "add", "office-3", "--address", "10.20.0.10", "--address", "fd00::5", "--owner", "j.smith",
                 "--group", "office", "--json")  # fmt: skip
    assert added.code == 0, added.err
    assert added.json == {
        "name": "office-3",
        "addresses": ["10.20.0.10", "fd00::5"],
        "groups": ["office"],
        "owner": "j.smith",
    }
    assert head("devices", "list", "--json").json == [added.json]
    assert "office-3" in head("devices", "list").out
    assert head("devices", "add", "office-4", "--address", "10.20.0.10").code == 1
    assert head("devices", "add", "office-4", "--address", "10.20.0.300").code == 2
    assert head("devices", "add", "office-4").code == 2
    assert head("devices", "add", "office-4", "--address", "10.20.0.11", "--owner", "nobody.such").code == 1
    assert len(head("devices", "list", "--json").json) == 1


def test_store(head):
    """Its state, the ledger's, a copy that nobody else can read."""
    told = head("store", "status", "--json").json
    assert told["state"] == "current"
    assert told["ledger"]["intact"] is True
    copy = head.state_dir.parent / "copy.db"
    assert head("store", "backup", str(copy)).code == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    again = head("store", "backup", str(copy), "--json")
    assert again.code == 1
    assert "already there" in again.error["message"]
    elsewhere = head.state_dir.parent / "mistyped" / "copy.db"
    assert head("store", "backup", str(elsewhere)).code == 1
    assert not elsewhere.parent.exists()
    assert head("store", "upgrade", "--json").json["state"] == "current"


def test_a_broken_ledger_is_told(head):
    """``store status`` verifies the chain, and fails."""
    store = head.store
    with store.write() as unit:
        unit.get(LedgerRow, 1).act = "something_else"
    store.close()
    result = head("store", "status", "--json")
    assert result.code == 1
    assert json.loads(result.out)["ledger"]["intact"] is False
    assert result.error["code"] == "ledger_broken"


def test_a_store_that_is_no_store(head):
    """Exit code 4, and what to do."""
    (head.state_dir / "schoolgate.db").write_bytes(b"not a database" * 1000)
    for command in (("grants",), ("attempts",), ("people", "list"), ("store", "status")):
        result = head(*command, "--json")
        assert result.code == 4, result.err
        assert result.error["code"].startswith("store_")
        assert result.error["hint"]


def test_a_missing_store(head):
    """The directory is there, the store is not: exit code 4, and nothing is made."""
    database = head.state_dir / "schoolgate.db"
    database.unlink()
    for command in (("grants",), ("store", "status"), ("store", "upgrade")):
        assert head(*command).code == 4
        assert not database.exists()


def test_a_newer_store(head):
    """Written by a later schoolgate: left alone."""
    with closing(sqlite3.connect(head.state_dir / "schoolgate.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    result = head("grants", "--json")
    assert result.code == 4
    assert result.error["code"] == "store_newer"
    assert head("store", "upgrade").code == 4


def test_a_locked_store(head):
    """Somebody holds it for longer than we wait."""
    with closing(sqlite3.connect(head.state_dir / "schoolgate.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        result = head("grant", "10.20.0.10", "facebook", "--for", "1h", "--reason", "A visit", "--json")
    assert result.code == 4
    assert result.error["code"] == "store_locked"
    assert head("grants", "--json").json == []
