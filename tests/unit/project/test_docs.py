"""The documentation speaks of what is there: every command, setting and metric, and none besides."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML
from typer.main import get_command

from policies.model import Policy
from proxy.cli.app import app
from proxy.metrics import KeeperMetrics, Metrics
from proxy.settings import Settings

ROOT = Path(__file__).parents[3]
PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
TEXT = "\n".join(PAGES.values())
COMMAND_LINE = re.compile(r"^ *(?:sudo -u schoolgate )?schoolgate (.+?)(?: +#.*| *[<>|].*)?$", re.MULTILINE)
UNIT = {"counter": "_total", "info": "_info"}

type Command = Any  # a click command or group, whichever click Typer brings


def root() -> Command:
    return get_command(app)


def fenced() -> Iterator[str]:
    """Every command line in a block of code."""
    for block in re.findall(r"^ *```\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL):
        yield from COMMAND_LINE.findall(block)


def spoken() -> set[str]:
    """Every command named in running text or a table."""
    return set(re.findall(r"`schoolgate ([a-z][^`]*)`", TEXT))


def leaves(command: Command, path: Sequence[str] = ()) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            if not child.hidden:
                yield from leaves(child, [*path, name])
    else:
        yield " ".join(path)


def found(words: list[str]) -> tuple[Command, list[str]]:
    """The command that the words name, and the words that are left for it."""
    command = root()
    while hasattr(command, "commands") and words:
        if words[0].startswith("-"):
            option = next(p for p in command.params if words[0] in p.opts)
            words = words[1:] if option.is_flag else words[2:]
            continue
        assert words[0] in command.commands, f"there is no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("line", sorted(set(fenced())))
def test_quoted_command_lines_are_accepted(line: str) -> None:
    """A command line in a block of code can be typed as it stands."""
    command, arguments = found(shlex.split(line))
    command.make_context("schoolgate", arguments)


@pytest.mark.parametrize("line", sorted(spoken()))
def test_named_commands_exist(line: str) -> None:
    """A command in running text exists, with the options it is given."""
    command, arguments = found(shlex.split(line))
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= options


@pytest.mark.parametrize("path", sorted(leaves(root())))
def test_every_command_is_documented(path: str) -> None:
    """docs/commands.md has a line for each command."""
    assert f"`schoolgate {path}" in PAGES["commands.md"]


@pytest.mark.parametrize("path", sorted(leaves(root())))
def test_every_option_is_documented(path: str) -> None:
    """The line of a command in docs/commands.md names each of its options, and no other; --json is said of all."""
    [line] = re.findall(rf"^\| `schoolgate {path}[` ].*$", PAGES["commands.md"], re.MULTILINE)
    command, _ = found(path.split())
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    assert set(re.findall(r"--[a-z-]+", line)) | {"--json"} == options | {"--json"}


def table_of(page: str, heading: str) -> list[str]:
    """The first column of the table under a heading, without its quotes."""
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGES[page], re.MULTILINE | re.DOTALL)
    return [name for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)]


def test_every_setting_is_documented() -> None:
    """The table of settings is the settings, in their order."""
    assert table_of("operations.md", "Settings") == list(Settings.model_fields)


def test_every_metric_is_documented_with_its_labels() -> None:
    """The table of metrics is the metrics, each with just its labels."""
    registries = [cls(CollectorRegistry()) for cls in (Metrics, KeeperMetrics)]
    expected = {}
    for attribute in (value for metrics in registries for value in vars(metrics).values()):
        if hasattr(attribute, "describe"):
            [family] = attribute.describe()
            labels = ("version",) if family.type == "info" else attribute._labelnames
            expected[family.name + UNIT.get(family.type, "")] = set(labels)
    documented = {}
    for row in table_of("operations.md", "Metrics"):
        name, _, labels = row.removesuffix("}").partition("{")
        documented[name] = {label for label in labels.split(",") if label}
    assert documented == expected


def test_every_alert_has_its_paragraph() -> None:
    """The runbook has a paragraph for each alert, and for no other."""
    rules = YAML(typ="safe").load((ROOT / "deploy/prometheus/schoolgate.rules.yml").read_text())
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    assert re.findall(r"^### (Schoolgate\w+)$", PAGES["operations.md"], re.MULTILINE) == alerts


def test_every_field_of_the_policy_is_documented() -> None:
    """The table of fields is the policy's fields; the version is worked out, not written."""
    assert set(table_of("policy.md", "The fields")) >= set(Policy.model_fields) - {"version"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """A link to a file of the project leads to a file, and to a heading in it where it says so."""
    folder = ROOT if page == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\((?!https://)([^)]+)\)", PAGES[page]):
        assert (folder / target.partition("#")[0]).exists(), target
