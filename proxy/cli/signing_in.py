"""``schoolgate login`` and ``logout``: a short session, so that the password is typed once."""

from typing import Annotated

import typer

from proxy.cli import session
from proxy.cli.context import opened
from proxy.cli.help import example, family
from proxy.cli.output import say

app = family()


@app.command(epilog=example("login head"))
def login(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Sign in, for the commands that follow in this terminal."""
    from proxy.services import accounts

    with opened(context) as site:
        actor = site.sign_in(name, stdin=password_stdin)
        with site.write() as unit:
            token = accounts.start_session(unit, actor, site.now)
        session.forget_gone(site.session_file)
        session.keep_token(site.session_file, token)
    say(f"You are signed in as {actor.display_name} ({actor.name}, {actor.role}). End it with: schoolgate logout")


@app.command(epilog=example("logout"))
def logout(context: typer.Context) -> None:
    """Sign out."""
    from proxy.services import accounts

    with opened(context) as site:
        token = session.read_token(site.session_file)
        session.forget_token(site.session_file)
        session.forget_gone(site.session_file)
        if token is not None:
            with site.write() as unit:
                accounts.end_session(unit, token)
    say("You are signed out." if token else "Nobody was signed in.")
