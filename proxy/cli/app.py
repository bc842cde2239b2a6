"""The command as a whole: its families, the options before the command, and the one place where errors end."""

import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer
from typer.main import get_command

from proxy.cli import (
    attempts,
    authority,
    catalogue,
    changes,
    completion,
    devices,
    grants,
    groups,
    people,
    policy,
    processes,
    signing_in,
    store,
    why,
)
from proxy.cli.context import Globals
from proxy.cli.errors import ExitCode, Failure, WrongUse, failure_of, report
from proxy.cli.help import example, family
from proxy.cli.unexpected import note

app = family(help="The school's social media policy on the wire: refused unless authorised, recorded, measured.")
PARTS = (
    *(processes, grants, why, attempts, people, devices, groups, changes),
    *(policy, catalogue, authority, store, signing_in, completion),
)
for part in PARTS:
    app.add_typer(part.app)


@app.callback(
    epilog=example(
        "run",
        "--as head grant office-3 facebook --for 2h --reason 'Open day'",
        "grants",
        "why www.facebook.com --from 10.20.0.10",
    )
)
def schoolgate(
    context: typer.Context,
    as_name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Who acts; asks for the password.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read that password from standard input.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,  # noqa: ARG001 -- ``run`` looked for it
) -> None:
    """The school's social media policy on the wire: refused unless authorised, recorded, measured."""
    if password_stdin and as_name is None:
        raise WrongUse("--password-stdin before the command goes with --as NAME.")
    context.obj = Globals(as_name=as_name, password_stdin=password_stdin)


@app.command("help", epilog=example("help", "help people add"))
def help_(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="The command to tell of.")] = None,
) -> None:
    """Show what a command does; the same as its --help."""
    shown = context.find_root()
    for word in words or ():
        known = getattr(shown.command, "commands", {})
        if word not in known:
            hint = f"See `{shown.command_path} --help`."
            raise WrongUse(f"There is no command {word!r} in `{shown.command_path}`.", hint=hint)
        shown = typer.Context(known[word], parent=shown, info_name=word)
    typer.echo(shown.get_help())


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say; every error becomes a sentence and an exit code here."""
    as_json, debug = "--json" in arguments, "--debug" in arguments
    _make_output_safe()
    try:
        _refuse_undecodable(arguments)
        if completion.VARIABLE in os.environ:
            completion.answer_shells()
        command = get_command(app)
        code = command.main(list(arguments) or ["--help"], prog_name="schoolgate", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return ExitCode.FAILED
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- the end of the line: said, noted, and an exit code
        if debug:
            traceback.print_exc()
        failure = failure_of(error) or Failure(ExitCode.FAILED, "internal", *note(error))
        report(failure, as_json=as_json)
        return failure.exit_code
    return code if isinstance(code, int) else ExitCode.DONE


def _make_output_safe() -> None:
    """A locale that cannot show a letter shows its escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _refuse_undecodable(arguments: Sequence[str]) -> None:
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise WrongUse(f"{argument!r} is not UTF-8.", hint="Type it again, in a UTF-8 terminal.")


def _forget_output() -> None:
    """Whoever read this has gone: nothing more is written, not even at the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
