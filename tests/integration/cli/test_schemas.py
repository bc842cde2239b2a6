"""What each command really prints is what its published schema says, and holds nothing that it does not tell of."""

import json
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from proxy.store.models import AttemptRow

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
NOW = datetime.now(UTC)
PASSPHRASE = "correct horse battery staple"  # on standard input, for whatever asks
GRANTED = "--for 1h --reason 'Open day posts'"

PRINTED = [
    f"grant 10.20.0.10 instagram {GRANTED}",
    f"grant network:guest category:forum --from 'tomorrow 09:00' {GRANTED}",
    "extend 1 --for 30m --reason 'It overran'",
    "revoke 1 --reason 'Finished early'",
    "grants --all",
    "attempts",
    "why www.instagram.com --from 10.20.0.10",
    "why www.bbc.co.uk --from 203.0.113.9",
    "people add a.jones --name 'Alex Jones' --role staff --group governors --group visitors",
    "people groups a.jones --leave governors",
    "people role a.jones network",
    "people disable a.jones",
    "people enable a.jones",
    "people import {folder}/people.csv --dry-run",
    "people import {folder}/people.csv",
    "people list",
    "devices add office-3 --address 10.20.0.10 --owner j.smith --group governors",
    "devices change office-3 --no-owner",
    "devices remove office-3",
    "devices import {folder}/devices.csv",
    "devices list",
    "groups list",
    f"grant group:visitors facebook {GRANTED}",
    "tech: people groups j.smith --join visitors",
    "tech: devices change suite-1 --join visitors",
    "tech: devices add suite-2 --address 10.20.4.2 --group visitors",
    "changes approve 1",
    "changes refuse 2 --reason 'Not for visitors'",
    "tech: changes withdraw 3",
    "changes list --all",
    "policy check",
    "policy show",
    "catalogue list",
    "catalogue bundles",
    "catalogue find i.instagram.com",
    "catalogue find www.bbc.co.uk",
    "ca init",
    "ca status",
    "ca renew --dry-run",
    "ca export --for ios",
    "ca passphrase --passphrase-stdin",
    "store status",
    "store upgrade",
    "store backup {folder}/copy.db",
]
"""Each with --json, one after the other, as the head teacher or as who is named."""

PEOPLE = "name,display_name,role\nb.brown,Bo Brown,staff\na.jones,Alex Jones,staff\n"
DEVICES = "name,addresses,owner\nsuite-1,10.20.4.1,\n"


def strict(schema: Any) -> Any:
    """The schema, and no property besides: what is printed and not published is a slip."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(part) for name, part in schema.items()}
    return {"additionalProperties": False, **closed} if isinstance(schema.get("properties"), dict) else closed


FILES = {path.name: strict(json.loads(path.read_text())) for path in SCHEMAS.glob("*.json")}
REGISTRY = Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in FILES.items())


def validate(value: Any, name: str) -> None:
    Draft202012Validator(FILES[name], registry=REGISTRY).validate(value)


def schema_of(words: list[str]) -> str:
    """``people add j.smith …`` -> people-add.json."""
    return next(name for name in (f"{'-'.join(words[:2])}.json", f"{words[0]}.json") if name in FILES)


@pytest.fixture
def busy(head):
    """A school with an attempt on record, and no CA yet."""
    shutil.rmtree(head.state_dir / "ca")
    store = head.store
    with store.write() as unit:
        unit.add(recorded())
    store.close()
    return head


def recorded() -> AttemptRow:
    return AttemptRow(
        reference="AAAA-BBBB-CCCC-0001",
        verdict="allow",
        reason="authorised",
        clause="3 ¶1",
        service="facebook",
        category="social-network",
        host="www.facebook.com",
        port=443,
        protocol="tls",
        kind="navigation",
        outcome="closed",
        address="10.20.0.10",
        device="office-3",
        person="j.smith",
        authorisation=1,
        policy="abc",
        first_at=NOW,
        last_at=NOW,
    )


def test_what_is_printed_is_what_is_published(busy):
    """A term's work; after it, every schema was put to the test."""
    folder = busy.state_dir.parent
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "devices.csv").write_text(DEVICES)
    tried = {"error.json"}
    for line in PRINTED:
        who, _, told = line.rpartition(": ")
        busy.act_as(who or "head")
        words = shlex.split(told.format(folder=folder))
        result = busy(*words, "--json", stdin=f"{PASSPHRASE}\n")
        assert result.code == 0, f"{line}: {result.err}"
        validate(result.json, schema_of(words))
        tried.add(schema_of(words))
    assert tried == set(FILES)


@pytest.mark.parametrize("role", ["tech", "net", "j.smith"])
def test_to_each_role(busy, role):
    """What a role may not see is null, and the schema says so."""
    assert busy("grant", "person:j.smith", "facebook", *shlex.split(GRANTED)).code == 0
    busy.act_as(role)
    for line in ("grants", "attempts"):
        validate(busy(line, "--json").json, f"{line}.json")


@pytest.mark.parametrize(
    "line",
    [
        "grnats",
        "grant",
        "revoke 77 --reason 'Finished early'",
        "attempts --since soon",
        "grant head facebook " + GRANTED,
    ],
)
def test_errors(busy, line):
    """One shape for all of them, on standard error, and nothing on standard output."""
    result = busy(*shlex.split(line), "--json")
    assert result.code != 0
    assert result.out == ""
    validate(json.loads(result.err), "error.json")


def test_the_test_is_strict():
    """A property that is not published, or is not there, is found."""
    good = {"file": "a", "bytes": 1}
    validator = Draft202012Validator(FILES["store-backup.json"], registry=REGISTRY)
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "more": 1})
    assert not validator.is_valid({"file": "a"})
