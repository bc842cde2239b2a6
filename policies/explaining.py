"""Validation errors as sentences for whoever wrote the file: where, what is wrong, what was expected."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from policies.documents import Document, Location

MOST_PROBLEMS = 20
_LONGEST_INPUT = 60
_FIELDS_EXPECTED = "is not a mapping; fields of the form `name: value` are expected"
_EXPECTED = {  # where pydantic speaks of Python, and the author of the file writes YAML
    "missing": "is missing",
    "too_short": "is empty; at least one entry is expected",
    "string_too_short": "is empty; a word or a sentence is expected",
    "string_type": "is not text; put quotes around it",
    "tuple_type": "is not a list; [one, two] or lines that begin with `- ` are expected",
    "model_type": _FIELDS_EXPECTED,
    "model_attributes_type": _FIELDS_EXPECTED,
    "dict_type": _FIELDS_EXPECTED,
    "mapping_type": _FIELDS_EXPECTED,
}


def problems_of(error: ValidationError, model: type[BaseModel], document: Document) -> Iterator[str]:
    """One line for each place that is wrong, in the order of the file."""
    schema = model.model_json_schema()
    said: dict[Location, str] = {}
    for details in _telling(error.errors(include_url=False, include_context=False)):
        location, sentence = _relocated(_in_file(details, document), _sentence(details, schema), document)
        said.setdefault(location, document.problem(location, sentence))
    ordered = sorted(said, key=document.line)
    yield from (said[location] for location in ordered[:MOST_PROBLEMS])
    if len(ordered) > MOST_PROBLEMS:
        yield f"{document.name}: and {len(ordered) - MOST_PROBLEMS} problems more"


def _telling(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without those that say "too short" of a list only because an entry of it is wrong."""
    around = {error["loc"][:end] for error in errors for end in range(len(error["loc"]))}
    return (error for error in errors if error["type"] != "too_short" or error["loc"] not in around)


def _in_file(details: ErrorDetails, document: Document) -> Location:
    """Where in the file: without the parts that are pydantic's own, and with the field that is not there."""
    known: Location = ()
    for part in details["loc"]:
        if (*known, part) in document.lines or details["type"] == "missing":
            known = (*known, part)
    return known


def _relocated(location: Location, sentence: str, document: Document) -> tuple[Location, str]:
    """A check of the whole begins its sentence with the place it is about: ``rules.0.networks.1: …``."""
    place, colon, rest = sentence.partition(": ")
    wanted = _dotted((*location, place))
    found = next((known for known in document.lines if colon and _dotted(known) == wanted), None)
    return (location, sentence) if found is None else (found, rest)


def _dotted(location: Location) -> str:
    """A part may itself have dots: ``exceptions.push.example``."""
    return ".".join(map(str, location))


def _sentence(details: ErrorDetails, schema: Mapping[str, Any]) -> str:
    kind, message = details["type"], details["msg"]
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "extra_forbidden":
        return _unknown_field(str(details["loc"][-1]), _fields_at(schema, details["loc"][:-1]))
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    written = repr(details["input"])
    shown = written if len(written) <= _LONGEST_INPUT else written[:_LONGEST_INPUT] + "…"
    return f"{message[:1].lower()}{message[1:]}; found {shown}"


def _unknown_field(name: str, fields: list[str]) -> str:
    if close := get_close_matches(name, fields, n=1):
        return f"is no field here; did you mean {close[0]}?"
    return f"is no field here; there are {', '.join(fields)}" if fields else "is no field here"


def _fields_at(schema: Mapping[str, Any], location: Location) -> list[str]:
    """The names of the fields that a mapping may have, by the model's own schema."""
    node: Mapping[str, Any] = schema
    for part in location:
        node = _resolved(node, schema)
        node = node.get("properties", {}).get(part) or node.get("items") or node.get("additionalProperties") or {}
    return list(_resolved(node, schema).get("properties", {}))


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
