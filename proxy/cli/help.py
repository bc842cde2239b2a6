"""How the commands present themselves: plain help of 80 columns, one line for each command, and an example."""

import typer


def family(name: str | None = None, help: str | None = None) -> typer.Typer:  # noqa: A002 -- Typer's own word
    """A group of commands; without a name they stand beside all others."""
    return typer.Typer(
        name=name, help=help, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False
    )


def example(*lines: str) -> str:
    """The end of a command's help; ``\\b`` keeps its lines as they are."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  schoolgate {line}" for line in lines)])
