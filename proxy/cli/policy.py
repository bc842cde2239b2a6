"""``schoolgate policy``: the school's policy as the gateway reads it."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.context import Site, opened
from proxy.cli.errors import CommandError
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, facts, say, table, tell

if TYPE_CHECKING:
    from policies.model import Exemption, Network, Policy, Rule

app = family()
policy = family("policy", "The school's policy.", examples=("policy show", "policy check"))
app.add_typer(policy)


@policy.command(epilog=example("policy check", "policy check ./new-policy.yaml"))
def check(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A policy's file; else the one in use.")] = None,
    as_json: Json = False,
) -> None:
    """Check a policy, its examples included."""
    from policies.loading import check as problems_of
    from policies.loading import default_policy_path, load_catalogue, load_policy

    with opened(context) as site:
        path = file or site.settings.policy or default_policy_path()
    loaded, catalogue = load_policy(path), load_catalogue()
    if problems := problems_of(loaded, catalogue):
        said = "\n".join(f"{path}: {problem}" for problem in problems)
        raise CommandError(said, code="policy_invalid", hint="A gateway keeps the policy before until this is right.")
    result = {"file": str(path), "version": loaded.version, "examples": len(loaded.examples)}
    tell(f"{path} is right: {len(loaded.examples)} examples hold.", result, as_json=as_json)


@policy.command(epilog=example("policy show", "policy show --json"))
def show(context: typer.Context, as_json: Json = False) -> None:
    """Show the policy: networks, rules, what is locked, what passes."""
    from policies.loading import policy_to_json

    with opened(context) as site:
        if as_json:
            emit_json(policy_to_json(site.policy))
            return
        _show(site.policy, site)


@policy.command(epilog=example("policy schema > policy.schema.json"))
def schema() -> None:
    """Print the JSON schema of a policy's file, for editors."""
    from policies.model import Policy

    emit_json(Policy.model_json_schema(by_alias=True))


def _show(shown: "Policy", site: Site) -> None:
    say(f"{shown.school.policy_title} of {shown.school.name}, version {shown.version}")
    facts([("File", site.settings.policy or "the one that comes with schoolgate"), ("Times", shown.school.time_zone)])
    say("")
    say("Networks")
    table(("Name", "Addresses", "Refused by"), map(_network, shown.networks.values()), empty="None.")
    say("")
    say("Rules, the first that applies decides")
    table(("Clause", "Rule", "Verdict", "For", "What", "When"), map(_rule, shown.rules), empty="None.")
    say("")
    say("Locked: no authorisation opens it")
    locked = ((k.clause, k.name, _listed(k.categories, k.services)) for k in shown.locked)
    table(("Clause", "Name", "What"), locked, empty="Nothing.")
    say("")
    _show_passing(shown)


def _show_passing(shown: "Policy") -> None:
    say("Passes")
    passed = [(e.clause, e.because, _passed(e)) for e in shown.exempt]
    passed += [(t.clause, t.because, t.service) for t in shown.teaching if t.allow]
    table(("Clause", "Because", "What"), passed, empty="Nothing.")
    say("")
    say("Could pass as a teaching service; SLT has left it to the rules")
    left = [(t.clause, t.because, t.service) for t in shown.teaching if not t.allow]
    table(("Clause", "Because", "What"), left, empty="None.")


def _passed(exemption: "Exemption") -> str:
    if exemption.bundle is not None:
        return f"bundle {exemption.bundle}, {len(exemption.domains)} hosts"
    return _listed(exemption.domains, exemption.services)


def _network(network: "Network") -> tuple[str, ...]:
    return network.name, _listed(map(str, network.addresses)), "a page" if network.page else "an alert"


def _rule(rule: "Rule") -> tuple[str, ...]:
    when = [*rule.during, *(f"not {period}" for period in rule.outside)]
    whom, what = _listed(rule.networks, rule.roles) or "all", _listed(rule.categories, rule.services) or "all"
    return rule.clause, rule.name, rule.verdict, whom, what, _listed(when) or "always"


def _listed(*names: Iterable[str]) -> str:
    return ", ".join(chain(*names))
