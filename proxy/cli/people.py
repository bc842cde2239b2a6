"""``schoolgate people``: one account per person, no shared ones."""

from typing import TYPE_CHECKING, Annotated

import typer

from policies.vocabulary import Role
from proxy.cli import changes, importing, passwords
from proxy.cli.context import Site, opened
from proxy.cli.errors import WrongUse
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, say, table, tell

if TYPE_CHECKING:
    from proxy.services.accounts import PersonView
    from proxy.services.permission import Actor

app = family()
people = family("people", "Accounts: who may do what.", examples=("people list", "people add --help"))
app.add_typer(people)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name, such as j.smith.")]
File = Annotated[str, importing.file("name, display_name, role (and groups, enabled)")]
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

    groups_of = group or []
    with opened(context) as site:
        actor = _actor_or_owner(site, first=True)
        new = passwords.new_or_none(name, stdin=password_stdin)
        if actor is not None:
            said = {"name": name, "display_name": display_name, "role": role, "groups_of": groups_of}
            changes.submit(site, "add_person", said, _added, as_json=as_json, secret={"password": new})
            return
        with site.write() as unit:
            view = accounts.add_person(
                unit,
                None,
                name=name,
                display_name=display_name,
                role=role,
                groups_of=groups_of,
                password=new,
                now=site.now,
                owner=site.is_owner,
            )
    sentence, fields = _added(view)
    tell(sentence, fields, as_json=as_json)


@people.command("list", epilog=example("people list", "people list --json"))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the accounts."""
    from proxy.services import accounts

    with opened(context) as site, site.reading() as (unit, actor):
        views = accounts.list_people(unit, actor)
    if as_json:
        emit_json([_fields(view) for view in views])
        return
    rows = (
        (v.name, v.display_name, v.role, _state(v), "yes" if v.has_browsing else "", ", ".join(v.groups)) for v in views
    )
    table(("Name", "Person", "*Role", "*Account", "*Browsing", "Groups"), rows, empty="There is nobody yet.")


@people.command("import", epilog=example("people import people.csv --dry-run", "people import - < people.csv"))
def import_(context: typer.Context, file: File, dry_run: importing.DryRun = False, as_json: Json = False) -> None:
    """Add and change people from a CSV file, all of it or nothing."""
    from proxy.services import imports

    importing.run(context, file, imports.plan_people, dry_run=dry_run, as_json=as_json)


@people.command(epilog=example("people groups j.smith --join governors --leave visitors"))
def groups(
    context: typer.Context,
    name: Name,
    join: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group to join; may be repeated.")] = None,
    leave: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="One to leave; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Let a person join and leave groups."""
    if not join and not leave:
        raise WrongUse("Say which groups: --join GROUP, --leave GROUP.", hint="See `schoolgate groups list`.")
    said = {"name": name, "join": join or [], "leave": leave or []}
    with opened(context) as site:
        changes.submit(site, "change_person", said, _grouped, as_json=as_json)


@people.command(epilog=example("people disable j.smith"))
def disable(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Close an account: its sessions and its grants end."""
    _enable(context, name, enabled=False, as_json=as_json)


@people.command(epilog=example("people enable j.smith"))
def enable(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Open a closed account again."""
    _enable(context, name, enabled=True, as_json=as_json)


@people.command(
    epilog=example(
        "people password j.smith",
        "people password j.smith --browsing --generate",
        "--as head people password j.smith --password-stdin",
    )
)
def password(
    context: typer.Context,
    name: Name,
    password_stdin: NewPasswordStdin = False,
    generate: Annotated[bool, typer.Option("--generate", help="Make one up and show it, once.")] = False,
    browsing: Annotated[
        bool, typer.Option("--browsing", help="The one for the proxy; it cannot sign in here.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the browsing password away.")] = False,
) -> None:
    """Give a person, or yourself, a new password."""
    if password_stdin + generate + remove > 1:
        raise WrongUse("--password-stdin, --generate and --remove: one of them.")
    if remove and not browsing:
        raise WrongUse("--remove goes with --browsing.", hint="To close an account: schoolgate people disable NAME")
    with opened(context, patient=remove) as site:
        if remove:
            _remove_browsing(site, name)
            return
        actor = site.actor if browsing else _actor_or_owner(site)
        kind = "browsing password" if browsing else "password"
        new = passwords.generated() if generate else passwords.new(name, stdin=password_stdin, kind=kind)
        if browsing:
            _set_browsing(site, name, new)
        else:
            _set_password(site, actor, name, new)
    if generate:
        passwords.show_once(name, new)


@people.command(epilog=example("people role j.smith technician"))
def role(
    context: typer.Context,
    name: Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="slt, technician, network or staff.")],
    as_json: Json = False,
) -> None:
    """Give a person another role."""
    with opened(context) as site:
        changes.submit(site, "change_person", {"name": name, "role": role}, _ranked, as_json=as_json)


def _set_password(site: Site, actor: "Actor | None", name: str, new: str) -> None:
    from proxy.services import accounts

    with site.write() as unit:
        accounts.set_password(unit, actor, name=name, password=new, now=site.now, owner=site.is_owner)
    say(f"The password of {name} is changed, and their sessions have ended.")


def _set_browsing(site: Site, name: str, new: str) -> None:
    from proxy.services import browsing

    with site.writing() as (unit, actor):
        browsing.set_password(unit, actor, name, new, site.now)
    say(f"The browsing password of {name} is changed; what was open under the old one ends.")


def _remove_browsing(site: Site, name: str) -> None:
    from proxy.services import browsing

    with site.writing() as (unit, actor):
        browsing.remove_password(unit, actor, name, site.now)
    say(f"{name} has no browsing password any more; what was open under it ends.")


def _enable(context: typer.Context, name: str, *, enabled: bool, as_json: bool) -> None:
    from proxy.services import accounts

    with opened(context, patient=not enabled) as site:
        if _actor_or_owner(site) is not None:
            changes.submit(site, "change_person", {"name": name, "enabled": enabled}, _switched, as_json=as_json)
            return
        with site.write() as unit:
            view = accounts.set_enabled(unit, None, name=name, enabled=enabled, now=site.now, owner=site.is_owner)
    sentence, fields = _switched(view)
    tell(sentence, fields, as_json=as_json)


def _actor_or_owner(site: Site, *, first: bool = False) -> "Actor | None":
    """Who acts; None for the directory's owner, whose first account may be the first thing there is."""
    from proxy import init

    if first and site.options.as_name is None:
        init.prepare_store(site.settings)
    return site.actor_if_any


def _fields(view: "PersonView") -> dict[str, object]:
    return {
        "name": view.name,
        "display_name": view.display_name,
        "role": view.role,
        "enabled": view.enabled,
        "has_password": view.has_password,
        "has_browsing": view.has_browsing,
        "groups": list(view.groups),
    }


# What is told when it is done


def _added(view: "PersonView") -> tuple[str, object]:
    later = "" if view.has_password else f" There is no password yet: schoolgate people password {view.name}"
    return f"{view.display_name} is added as {view.name} ({view.role}).{later}", _fields(view)


def _grouped(view: "PersonView") -> tuple[str, object]:
    groups = f"the group{'s' if len(view.groups) > 1 else ''} {', '.join(view.groups)}" if view.groups else "no group"
    return f"{view.name} is in {groups} now.", _fields(view)


def _ranked(view: "PersonView") -> tuple[str, object]:
    return f"{view.name} is in the role {view.role} now.", _fields(view)


def _switched(view: "PersonView") -> tuple[str, object]:
    return f"The account {view.name} is {_state(view)}.", _fields(view)


def _state(view: "PersonView") -> str:
    if not view.enabled:
        return "disabled"
    return "enabled" if view.has_password else "no password"
