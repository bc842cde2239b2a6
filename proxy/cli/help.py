"""How the commands present themselves: plain help of 80 columns, one line for each command, and an example.

Usage is written as manual pages write it: ``NAME``, ``[FILE]``, ``[COMMAND]...``.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperArgument, TyperCommand

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter, Parameter  # what Typer hands to a command; no other name has them


class Command(TyperCommand):
    """One command, its arguments named as in a manual page."""

    def collect_usage_pieces(self, ctx: "Context") -> list[str]:
        pieces = [self.options_metavar] if self.options_metavar else []
        return [*pieces, *(written(argument) for argument in _arguments(self.get_params(ctx)))]

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        if rows := [(written(argument), argument.help or "") for argument in _arguments(self.get_params(ctx))]:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        options = [p for p in self.get_params(ctx) if not isinstance(p, TyperArgument)]
        with formatter.section("Options"):
            formatter.write_dl([row for option in options if (row := option.get_help_record(ctx))])


class Family(typer.Typer):
    """A group whose commands are each a ``Command``."""

    def command(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:  # noqa: ANN401 -- Typer's own, handed on
        return super().command(*args, cls=Command, **kwargs)


def family(
    name: str | None = None,
    help: str | None = None,  # noqa: A002 -- Typer's own word
    examples: Sequence[str] = (),
) -> typer.Typer:
    """A group of commands; without a name they stand beside all others."""
    return Family(
        name=name,
        help=help,
        epilog=example(*examples) if examples else None,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


def example(*lines: str) -> str:
    """The end of a command's help; ``\\b`` keeps its lines as they are."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  schoolgate {line}" for line in lines)])


def written(argument: TyperArgument) -> str:
    """``NAME``, ``[FILE]``, ``NAME...``."""
    name = (argument.metavar or argument.name).strip("[]")
    more = "..." if argument.nargs != 1 else ""
    return f"{name}{more}" if argument.required else f"[{name}]{more}"


def _arguments(parameters: "Sequence[Parameter]") -> list[TyperArgument]:
    return [p for p in parameters if isinstance(p, TyperArgument) and not p.hidden]
