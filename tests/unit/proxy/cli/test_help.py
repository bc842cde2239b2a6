"""Help shows the commands that work, and no other, each with a line and an example."""

from collections.abc import Iterator

import pytest
from typer.main import get_command

from proxy.cli.app import app, run

COMMANDS = """
answerer
attempts
ca export
ca init
ca status
catalogue find
catalogue list
devices add
devices list
extend
grant
grants
keeper
login
logout
people add
people disable
people enable
people list
people password
people role
policy check
policy schema
policy show
revoke
run
store backup
store status
store upgrade
why
""".strip().splitlines()

WITHOUT_DATA = {"answerer", "ca export", "keeper", "login", "logout", "people password", "policy schema", "run"}


def _commands(command=None, name="") -> Iterator[tuple[str, object]]:
    command = command or get_command(app)
    for part, sub in (getattr(command, "commands", None) or {}).items():
        yield from _commands(sub, f"{name} {part}".strip())
    if not hasattr(command, "commands"):
        yield name, command


FOUND = dict(_commands())


def test_only_the_commands_that_work():
    """Nothing appears in help before it works."""
    assert sorted(FOUND) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    """A sentence that fits the list of commands, and an example that calls the command itself."""
    command = FOUND[name]
    assert command.help
    assert command.help.endswith(".")
    assert command.get_short_help_str(limit=62) == command.help
    assert f"schoolgate {name}" in command.epilog.replace("--as head ", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_is_documented(name):
    """Each option and argument says what it is."""
    assert all(parameter.help for parameter in FOUND[name].params if parameter.name != "help")


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - WITHOUT_DATA))
def test_what_prints_data_prints_json(name):
    """``--json`` on everything that prints data."""
    assert "--json" in {option for parameter in FOUND[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", ["", "people", "grant"])
def test_help_is_plain_and_fits_a_terminal(name, capsys):
    """80 columns, no colours, done."""
    assert run([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example" in shown or name == "people"
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 80 or name == "grant"


def test_nothing_typed_shows_help(capsys):
    """``schoolgate`` alone says what there is."""
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out
