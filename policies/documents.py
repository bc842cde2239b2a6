"""A YAML file as plain values, with the line of every one of them, so that an error can point at it.

Only what a person writes by hand is accepted: one UTF-8 document of moderate size and depth, no key twice, no tags of
its own, no anchors (an alias can stand for gigabytes). The tree that ruamel.yaml composes is walked once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources.abc import Traversable
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

type Location = tuple[str | int, ...]

LARGEST = 1024 * 1024  # a written policy has some ten thousand bytes; imported lists do not go through here
DEEPEST = 20
VERSION_DIGITS = 12
_PLAIN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp"))


class PolicyError(Exception):
    """A policy or catalogue file is wrong. The message has a line for each problem: file, line, field, expectation."""


@dataclass(frozen=True)
class Document:
    """What a file holds, and on which line (from 1) each value begins."""

    name: str
    version: str  # a digest of the file's bytes
    content: object
    lines: Mapping[Location, int] = field(repr=False)

    def line(self, location: Location) -> int:
        """The line of a value; of the nearest value around it, where the file does not have it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def problem(self, location: Location, message: str) -> str:
        where = ".".join(str(part) for part in location)
        return f"{self.name}:{self.line(location)}: {where + ': ' if where else ''}{message}"


def read_document(file: Traversable | Path) -> Document:
    """Read one YAML file. Raises PolicyError."""
    name = str(file)
    raw = _bytes(file, name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise PolicyError(f"{name}:{line}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    try:
        root = _composed(text)
    except MarkedYAMLError as error:
        raise PolicyError(_syntax_problem(name, text, error)) from None
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise PolicyError(f"{name}:{line}: a control character; only printable text is expected") from None
    except (YAMLError, ValueError) as error:
        raise PolicyError(f"{name}:1: not YAML: {error}") from None
    if root is None:
        raise PolicyError(f"{name}:1: the file is empty")
    lines: dict[Location, int] = {}
    content = _Walk(name, lines).value(root, ())
    return Document(name, sha256(raw).hexdigest()[:VERSION_DIGITS], content, lines)


class _ShallowComposer(Composer):
    """Refuses deep nesting where it is met, before it costs anything."""

    depth = 0

    def compose_node(self, parent: Node | None, index: object) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise MarkedYAMLError(
                problem="nested too deeply; a policy has a handful of levels",
                problem_mark=self.loader.parser.peek_event().start_mark,
            )
        node: Node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _composed(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _ShallowComposer
    root: Node | None = yaml.compose(text)
    return root


def _bytes(file: Traversable | Path, name: str) -> bytes:
    try:
        if not file.is_file():
            raise PolicyError(f"{name}: there is no such file")
        with file.open("rb") as stream:
            raw: bytes = stream.read(LARGEST + 1)
    except OSError as error:
        raise PolicyError(f"{name}: cannot be read: {error.strerror or error}") from error
    if len(raw) > LARGEST:
        raise PolicyError(f"{name}: larger than {LARGEST // 1024} KiB; that is no policy written by hand")
    return raw


def _syntax_problem(name: str, text: str, error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    written = text.splitlines()[line - 1 : line]
    if written and "\t" in written[0][: len(written[0]) - len(written[0].lstrip())]:
        return f"{name}:{line}: a tab; indent with spaces"
    return f"{name}:{line}: not YAML: {error.problem or error.context or error}"


class _Walk:
    """Turns a composed tree into plain values, noting lines, refusing what is not plain."""

    def __init__(self, name: str, lines: dict[Location, int]) -> None:
        self.name, self.lines = name, lines
        self.scalars = SafeConstructor(loader=YAML(typ="safe", pure=True))

    def value(self, node: Node, location: Location) -> object:
        self.lines.setdefault(location, node.start_mark.line + 1)
        if node.anchor is not None:
            raise self.error(node, location, "anchors (&) and aliases (*) are not used here; write the value out")
        match node:
            case MappingNode():
                return self.mapping(node, location)
            case SequenceNode():
                return [self.value(item, (*location, place)) for place, item in enumerate(node.value)]
            case _:
                return self.scalar(node, location)

    def mapping(self, node: MappingNode, location: Location) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self.error(key_node, location, "a field's name is a word, not a list or a mapping")
            key = str(key_node.value)
            here = (*location, key)
            if key in values:
                raise self.error(key_node, here, f"said twice; the first is on line {self.lines[here]}")
            self.lines[here] = key_node.start_mark.line + 1
            values[key] = self.value(value_node, here)
        return values

    def scalar(self, node: Node, location: Location) -> object:
        if str(node.tag) not in _PLAIN:
            raise self.error(node, location, f"the tag {node.tag} is not used here; write a plain value")
        try:
            return self.scalars.construct_object(node)
        except (YAMLError, ValueError, OverflowError):
            raise self.error(node, location, f"{str(node.value)[:40]!r} is not a value") from None

    def error(self, node: Node, location: Location, message: str) -> PolicyError:
        where = ".".join(str(part) for part in location)
        return PolicyError(f"{self.name}:{node.start_mark.line + 1}: {where + ': ' if where else ''}{message}")
