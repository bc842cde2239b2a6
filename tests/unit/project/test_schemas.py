"""The published schemas of ``--json``: one for each command that prints it, and they only ever grow."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.main import get_command

from policies import vocabulary
from policies.authorisation import RequestState, State
from proxy.cli.app import app

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
FILES = {path.name: json.loads(path.read_text()) for path in sorted(SCHEMAS.glob("*.json"))}
PUBLISHED = Path(__file__).with_name("published_schemas.txt")
ERROR = "error.json"
WORDS = {
    "verdict": vocabulary.Verdict,
    "reason": vocabulary.Reason,
    "kind": vocabulary.Kind,
    "outcome": vocabulary.Outcome,
    "role": vocabulary.Role,
}


def printing_json(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[str]:
    command = command or get_command(app)
    for name, child in getattr(command, "commands", {}).items():
        yield from printing_json(child, (*path, name))
    if any("--json" in parameter.opts for parameter in command.params):
        yield "-".join(path)


def promises(file: str, schema: Any, path: str = "") -> Iterator[str]:
    """What somebody who reads such JSON may rely on, a line each."""
    where = f"{file}{path}"
    if "$ref" in schema:
        yield f"{where} is a {schema['$ref']}"
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        yield f"{where} is {' or '.join(sorted(types))}"
    yield from (f"{where} may be {json.dumps(value)}" for value in schema.get("enum", ()))
    yield from (f"{where} has {name}" for name in schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        yield from promises(file, part, f"{path}/{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from promises(file, schema[keyword], f"{path}/*")
    for part in schema.get("anyOf", ()):
        yield from promises(file, part, path)


def test_every_command_that_prints_json_has_its_schema() -> None:
    """One file each, one for errors, and none besides."""
    assert sorted(FILES) == sorted([*(f"{name}.json" for name in printing_json()), ERROR])


@pytest.mark.parametrize("name", FILES)
def test_each_is_a_schema(name: str) -> None:
    """JSON Schema 2020-12, with a title, in which each property says what it is and is always there."""
    schema = FILES[name]
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["title"]
    Draft202012Validator.check_schema(schema)
    for part in objects(schema):
        assert part["required"] == list(part["properties"])
        assert all(child.get("description") for child in part["properties"].values())


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for child in schema.values():
            yield from objects(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from objects(child)


def test_the_words_are_the_vocabularys() -> None:
    """Where a schema lists the words of a verdict, a reason …, it lists them all."""
    seen = set()
    for part in (part for schema in FILES.values() for part in objects(schema)):
        for name, words in WORDS.items():
            if "enum" in part["properties"].get(name, {}):
                assert set(part["properties"][name]["enum"]) - {None} == set(words)
                seen.add(name)
    assert seen == set(WORDS)
    assert set(FILES["grant.json"]["properties"]["state"]["enum"]) == set(State)
    assert set(FILES["changes-list.json"]["items"]["properties"]["state"]["enum"]) == set(RequestState)


def test_they_only_ever_grow() -> None:
    """What was published once stays; what is new is written down in published_schemas.txt, for ever."""
    frozen = set(PUBLISHED.read_text().splitlines())
    now = {line for name, schema in FILES.items() for line in promises(name, schema)}
    assert not frozen - now, "somebody relies on these, and they are gone"
    assert not now - frozen, f"new promises: add these lines to {PUBLISHED.name}"
