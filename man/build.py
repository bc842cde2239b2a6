# ruff: noqa: INP001 -- a script beside the page it writes, no package
"""The manual page, written from the commands themselves and the tables of docs/operations.md: ``make man``.

Nothing is said here that is said elsewhere; a test compares ``schoolgate.1`` with what this writes.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

from typer.main import get_command

from proxy.cli.app import app
from proxy.cli.errors import ExitCode
from proxy.cli.help import written

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("schoolgate.1")
OPERATIONS = ROOT / "docs" / "operations.md"
SETTINGS_FILE = "/etc/schoolgate/schoolgate.toml"

type Command = Any  # a click command or group, whichever click Typer brings
type Context = Any


def page() -> str:
    """The whole page, roff with the man macros."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    root = get_command(app)
    context = root.make_context("schoolgate", [], resilient_parsing=True)
    sections = [
        ("NAME", [f"schoolgate \\- {text(project['description'])}"]),
        ("SYNOPSIS", [r".B schoolgate", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]"]),
        ("DESCRIPTION", paragraphs(root.help)),
        ("OPTIONS", options(root, context)),
        ("COMMANDS", commands(root, context)),
        ("SETTINGS", settings()),
        ("FILES", definitions(rows("Files"))),
        ("EXIT STATUS", definitions((str(code.value), code.name.lower().replace("_", " ")) for code in ExitCode)),
        ("EXAMPLES", examples(root)),
        ("SEE ALSO", ["The folder", r".I docs", "of schoolgate: commands, policy, gateway, CA, operations, security."]),
    ]
    title = f'.TH SCHOOLGATE 1 "" "schoolgate {project["version"]}" "User Commands"'
    lines = [r".\" Written by man/build.py: make man", title]
    for name, body in sections:
        lines += [f".SH {name}", *body]
    return "\n".join(lines) + "\n"


def commands(group: Command, context: Context) -> Iterator[str]:
    """Each command with its arguments, its options and its examples; a group's commands after one another."""
    for name, command in group.commands.items():
        below = type(context)(command, parent=context, info_name=name)
        if hasattr(command, "commands"):
            yield from commands(command, below)
        elif not command.hidden:
            arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
            yield (
                " ".join([f'.SS "{text(below.command_path)}', *(rf"\fI{text(written(a))}\fR" for a in arguments)]) + '"'
            )
            yield from paragraphs(command.help)
            yield from definitions(((written(a), a.help) for a in arguments), style="I")
            yield from options(command, below)
            yield from examples(command)


def options(command: Command, context: Context) -> Iterator[str]:
    """The options as help lists them, but for --help."""
    for option in command.params:
        row = option.get_help_record(context) if option.param_type_name == "option" else None
        if row is None:
            continue
        name, _, value = row[0].partition(" ")
        yield ".TP"
        yield rf"\fB{text(name)}\fR" + (rf" \fI{text(value)}\fR" if value else "")
        yield text(row[1].replace("  ", " "))


def settings() -> Iterator[str]:
    """Where settings are looked for, and the table of them."""
    yield from paragraphs(
        f"In {SETTINGS_FILE} (SCHOOLGATE_CONFIG names another), or in the environment as SCHOOLGATE_ and the name in "
        "capitals, lists separated by commas. The environment wins."
    )
    yield from definitions(
        (name, f"{told[0].upper()}{told[1:]}. Default: {default}.") for name, default, told in rows("Settings")
    )


def examples(command: Command) -> Iterator[str]:
    lines = re.findall(r"^  (schoolgate .+)$", command.epilog or "", re.MULTILINE)
    if lines:
        yield from [".PP", ".EX", *map(text, lines), ".EE"]


def rows(heading: str) -> Iterator[tuple[str, ...]]:
    """The rows of the table under a heading of docs/operations.md."""
    [section] = re.findall(
        rf"^## {heading}\n(.*?)(?=^## )", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    for line in re.findall(r"^\| (`.+) \|$", section, re.MULTILINE):
        yield tuple(plain(cell) for cell in line.split(" | "))


def plain(markdown: str) -> str:
    """Without quotes, and links as what they say."""
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", markdown).replace("`", "")


def definitions(pairs: Iterable[Iterable[str]], style: str = "B") -> Iterator[str]:
    for name, told, *_ in pairs:
        yield from [".TP", rf"\f{style}{text(name)}\fR", text(told)]


def paragraphs(prose: str | None) -> Iterator[str]:
    for number, paragraph in enumerate(cleandoc(prose or "").split("\n\n")):
        yield from [*([".PP"] if number else []), text(" ".join(paragraph.split()))]


def text(said: str) -> str:
    """Prose as roff takes it for prose."""
    escaped = said.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is written\n")
