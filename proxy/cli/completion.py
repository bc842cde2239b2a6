"""``schoolgate completion``: a shell completes commands, options, and such values as need no password.

Typer answers the shell's questions; for zsh and fish its scripts ask them. bash ends a word at every ``:`` and ``=``,
schoolgate does not (``category:forum``): its script puts such words together again. A name of a person or a device is
never offered: it is not for everybody who may sit at a terminal.
"""

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.help import example, family

if TYPE_CHECKING:
    from proxy.cli.context import Site

PROGRAM = "schoolgate"
VARIABLE = "_SCHOOLGATE_COMPLETE"  # set while a shell asks

type Choices = list[tuple[str, str]]
"""Values, each with what it stands for."""

BASH = r"""_schoolgate_completion() {
    local -a words=()
    local word glued=
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ ${#words[@]} -gt 0 && ( $glued || $word == [:=]* ) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        [[ $word == *[:=] ]] && glued=1 || glued=
    done
    mapfile -t COMPREPLY < <(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) \
        _SCHOOLGATE_COMPLETE=complete_bash "$1" 2>/dev/null)
    word=${words[-1]}  # what stands before its last colon is on the line already
    [[ $word == *:* && $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
    return 0
}

complete -o default -F _schoolgate_completion schoolgate
"""


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


app = family()


@app.command(
    epilog=example(
        "completion bash > /etc/bash_completion.d/schoolgate",
        "completion zsh > /usr/local/share/zsh/site-functions/_schoolgate",
        "completion fish > ~/.config/fish/completions/schoolgate.fish",
    )
)
def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the script that lets a shell complete what is typed."""
    from typer.completion import shell_complete

    if shell is Shell.BASH:
        sys.stdout.write(BASH)
        return
    answer_shells()
    with redirect_stdout(io.StringIO()) as script:
        shell_complete(context.find_root().command, {}, PROGRAM, VARIABLE, f"source_{shell}")
    sys.stdout.write(script.getvalue().strip() + "\n")  # zsh looks for #compdef in the first line


def answer_shells() -> None:
    """Let Typer answer: of its own accord it does so only beside options of its own, which are not wanted here."""
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()


# Values


def services() -> Choices:
    return _offered(lambda site: [(key, service.name) for key, service in site.catalogue.services.items()])


def categories() -> Choices:
    return _offered(lambda site: [(key, category.name) for key, category in site.catalogue.categories.items()])


def networks() -> Choices:
    return _offered(lambda site: [(name, "A network of the policy") for name in site.policy.networks])


def targets() -> Choices:
    """What can be granted, but for domains."""
    of_categories = [(f"category:{key}", name) for key, name in categories()]
    return [*services(), *of_categories, ("all", "All social media")]


def subjects() -> Choices:
    """To whom, as far as the policy says."""
    return [(f"network:{name}", told) for name, told in networks()]


def _offered(choices: "Callable[[Site], Choices]") -> Choices:
    """Nothing where something is wrong: the command itself will say what."""
    from proxy.cli.context import Globals, Site

    with redirect_stderr(io.StringIO()):
        try:
            return choices(Site(Globals(), datetime.now(UTC)))
        except Exception:  # noqa: BLE001 -- a shell that asks gets an answer or silence, never a message
            return []
