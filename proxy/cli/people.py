"""``schoolgate people``: one account per person, no shared ones."""

from typing import TYPE_CHECKING, Annotated

import typer

from policies.vocabulary import Role
from proxy.cli import passwords
from proxy.cli.context import Site, opened
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, say, table, tell

if TYPE_CHECKING:
    from proxy.services.accounts import PersonView
    from proxy.services.permission import Actor

app = family()
people = family("people", "Accounts: who may do what.")
app.add_typer(people)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name, such as j.smith.")]
NewPasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the new password from standard input (after the actor's).")
]


@people.command(
    epilog=example(
        'people add head --name "Head teacher" --role slt --password-stdin',
        'people add j.smith --name "Jo Smith" --role staff --group governors',
    )
)
def add(
    context: typer.Context,
    name: Name,
    display_name: Annotated[str, typer.Option("--name", metavar="TEXT", help="The person's name as it is shown.")],
    role: Annotated[Role, typer.Option(help="What they may do.")],
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="A group of theirs; may be repeated.")
    ] = None,
    password_stdin: NewPasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Add a person; the directory's owner adds the first of SLT."""
    from proxy.services import accounts

    with opened(context) as site:
        actor = _actor_or_owner(site, first=True)
        password = passwords.new_or_none(name, stdin=password_stdin)
        with site.store.write() as unit:
            view = accounts.add_person(
                unit,
                actor,
                name=name,
                display_name=display_name,
                role=role,
                password=password,
                groups_of=group or (),
                now=site.now,
                owner=site.is_owner,
            )
    later = "" if view.has_password else f" There is no password yet: schoolgate people password {view.name}"
    tell(f"{view.display_name} is added as {view.name} ({view.role}).{later}", _fields(view), as_json=as_json)


@people.command("list", epilog=example("people list", "people list --json"))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the accounts."""
    from proxy.services import accounts

    with opened(context) as site, site.reading() as (unit, actor):
        views = accounts.list_people(unit, actor)
    if as_json:
        emit_json([_fields(view) for view in views])
        return
    rows = ((v.name, v.display_name, v.role, _state(v), ", ".join(v.groups)) for v in views)
    table(("Name", "Person", "Role", "Account", "Groups"), rows, empty="There is nobody yet.")


@people.command(epilog=example("people disable j.smith"))
def disable(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Close an account: its sessions and its grants end."""
    _enable(context, name, enabled=False, as_json=as_json)


@people.command(epilog=example("people enable j.smith"))
def enable(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Open a closed account again."""
    _enable(context, name, enabled=True, as_json=as_json)


@people.command(epilog=example("people password j.smith", "--as head people password j.smith --password-stdin"))
def password(context: typer.Context, name: Name, password_stdin: NewPasswordStdin = False) -> None:
    """Give a person, or yourself, a new password."""
    from proxy.services import accounts

    with opened(context) as site:
        actor = _actor_or_owner(site)
        new = passwords.new(name, stdin=password_stdin)
        with site.store.write() as unit:
            accounts.set_password(unit, actor, name=name, password=new, now=site.now, owner=site.is_owner)
    say(f"The password of {name} is changed, and their sessions have ended.")


@people.command(epilog=example("people role j.smith technician"))
def role(
    context: typer.Context,
    name: Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="slt, technician, network or staff.")],
    as_json: Json = False,
) -> None:
    """Give a person another role."""
    from proxy.services import accounts

    with opened(context) as site, site.writing() as (unit, actor):
        view = accounts.set_role(unit, actor, name=name, role=role, now=site.now)
    tell(f"{view.name} is in the role {view.role} now.", _fields(view), as_json=as_json)


def _enable(context: typer.Context, name: str, *, enabled: bool, as_json: bool) -> None:
    from proxy.services import accounts

    with opened(context) as site:
        actor = _actor_or_owner(site)
        with site.store.write() as unit:
            view = accounts.set_enabled(unit, actor, name=name, enabled=enabled, now=site.now, owner=site.is_owner)
    tell(f"The account {view.name} is {_state(view)}.", _fields(view), as_json=as_json)


def _actor_or_owner(site: Site, *, first: bool = False) -> "Actor | None":
    """Who acts; None for the directory's owner, whose first account may be the first thing there is."""
    from proxy import init

    if first and site.nobody_said_who:
        init.prepare_store(site.settings)
    return site.actor_if_any


def _fields(view: "PersonView") -> dict[str, object]:
    return {
        "name": view.name,
        "display_name": view.display_name,
        "role": view.role,
        "enabled": view.enabled,
        "has_password": view.has_password,
        "groups": list(view.groups),
    }


def _state(view: "PersonView") -> str:
    if not view.enabled:
        return "disabled"
    return "enabled" if view.has_password else "no password"
