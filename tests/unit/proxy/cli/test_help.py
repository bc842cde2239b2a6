"""Help shows the commands that work, and no other, each with a line and an example."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.main import get_command

from proxy.cli.app import app, run

COMMANDS = """
answerer
attempts
ca export
ca init
ca passphrase
ca renew
ca status
catalogue bundles
catalogue find
catalogue list
changes approve
changes list
changes refuse
changes withdraw
completion
devices add
devices change
devices import
devices list
devices remove
extend
grant
grants
groups list
help
keeper
login
logout
people add
people disable
people enable
people groups
people import
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

WITHOUT_DATA = {
    "answerer",
    "completion",
    "help",
    "keeper",
    "login",
    "logout",
    "people password",
    "policy schema",
    "run",
}


def _commands(command, name="") -> Iterator[tuple[str, object]]:
    """All of them by name, groups too; the root's name is empty."""
    yield name, command
    for part, sub in getattr(command, "commands", {}).items():
        yield from _commands(sub, f"{name} {part}".strip())


def _examples(command) -> list[str]:
    return re.findall(r"^  (schoolgate .+)$", command.epilog or "", re.MULTILINE)


ROOT = get_command(app)
FOUND = {name: command for name, command in _commands(ROOT) if not hasattr(command, "commands")}
GROUPS = {name: command for name, command in _commands(ROOT) if hasattr(command, "commands")}


def test_only_the_commands_that_work():
    """Nothing appears in help before it works."""
    assert sorted(FOUND) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    """A sentence that fits the list of commands, and an example that calls the command itself."""
    command = FOUND[name]
    assert command.help
    assert command.help.endswith(".")
    assert command.get_short_help_str(limit=62) == command.help.split("\n\n")[0]
    assert any(f"schoolgate {name}" in line.replace("--as head ", "") for line in _examples(command))


@pytest.mark.parametrize("name", sorted(FOUND | GROUPS))
def test_every_example_can_be_typed(name):
    """At least one for each command and each group; all are accepted, up to where they would begin."""
    lines = _examples((FOUND | GROUPS)[name])
    assert lines
    for line in lines:
        words = shlex.split(re.split(" [<>] ", line)[0])[1:]
        command, context = ROOT, None
        while hasattr(command, "commands"):
            context = command.make_context(None, words, parent=context)
            _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        if "--help" not in words:
            command.make_context(None, words, parent=context)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_is_documented(name):
    """Each option and argument says what it is."""
    assert all(parameter.help for parameter in FOUND[name].params if parameter.name != "help")


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - WITHOUT_DATA))
def test_what_prints_data_prints_json(name):
    """``--json`` on everything that prints data."""
    assert "--json" in {option for parameter in FOUND[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", sorted(FOUND | GROUPS))
def test_help_is_plain_and_fits_a_terminal(name, capsys):
    """80 columns (examples, which are there to be copied, on one line each), no colours, done."""
    assert run([*name.split(), "--help"]) == 0
    shown, _, examples = capsys.readouterr().out.partition("\n  Example")
    assert examples
    assert "\x1b" not in shown + examples
    assert max(map(len, shown.splitlines())) <= 80
    assert not re.search(r"[{}]|<(str|int|Path)>", shown), "usage is written as in manual pages"


@pytest.mark.parametrize("name", ["", "grants", "people add"])
def test_help_as_a_command(name, capsys):
    """``schoolgate help X`` is ``schoolgate X --help``."""
    assert run([*name.split(), "--help"]) == 0
    expected = capsys.readouterr().out
    assert run(["help", *name.split()]) == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("grnats", "'grants'"), ("people lst", "'list'"), ("grants --al", "--all"), ("help peopl", "schoolgate --help")],
)
def test_a_slip_is_answered_with_what_is_near(typed, meant, capsys):
    """Wrong use, and what may have been meant."""
    assert run(typed.split()) == 2
    assert meant in capsys.readouterr().err


def test_a_group_alone_names_its_commands(capsys):
    """Whoever stops half way is told how it goes on."""
    assert run(["devices"]) == 2
    assert "Commands: add, " in capsys.readouterr().err


def test_help_comes_without_what_the_commands_work_with():
    """Neither the store nor validation is imported to show help or to complete a word: it stays quick."""
    code = "import sys, proxy.cli.app; print(*({'sqlalchemy', 'pydantic', 'alembic', 'mitmproxy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_nothing_typed_shows_help(capsys):
    """``schoolgate`` alone says what there is."""
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out
