"""``schoolgate ca``: the school's CA, which signs refusal pages and nothing else."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli import handing_out, passphrases, times
from proxy.cli.context import Site, opened
from proxy.cli.help import example, family
from proxy.cli.output import Json, command, emit_json, facts, flagged, say, table, tell
from proxy.cli.welcome import ROOT_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from policies.names import HostName
    from proxy.ca.issuing import Renewal
    from proxy.ca.root_key import RootKey
    from proxy.ca.status import CaStatus

app = family()
ca = family("ca", "The CA that signs refusal pages.", examples=("ca status", f"ca export > {ROOT_FILE}"))
app.add_typer(ca)

PassphraseStdin = Annotated[
    bool, typer.Option("--passphrase-stdin", help="Read the root key's passphrase from standard input.")
]


@ca.command(epilog=example("ca init"))
def init(context: typer.Context, passphrase_stdin: PassphraseStdin = False, as_json: Json = False) -> None:
    """Make the CA; `run` does it too.

    Its root key is encrypted. On a terminal the passphrase is shown once; without one it is left beside the key.
    """
    from proxy.ca import issuing
    from proxy.ca.passphrase import new_passphrase
    from proxy.init import prepare_directory

    with opened(context) as site:
        names = _names(site)
        prepare_directory(site.settings)
        given = passphrases.from_stdin() if passphrase_stdin else None
        shown = new_passphrase() if given is None and sys.stdout.isatty() and not as_json else None
        issuing.create(site.settings.ca_dir, names, site.now, given or shown)
        if shown is not None:
            passphrases.show(shown)
        told = f"The CA is made. Give every device its root: schoolgate ca export > {ROOT_FILE}"
        found = _status(site)
        tell(told, _fields(found, site), as_json=as_json)
        if not as_json:
            _show_findings(found)


@ca.command(epilog=example("ca status"))
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show the CA: fingerprint, expiry, what it covers, what to do."""
    with opened(context) as site:
        site.demand_state_dir()
        found = _status(site)
        if as_json:
            emit_json(_fields(found, site))
            return
        _show(found, site)
        _show_findings(found)


@ca.command(epilog=example("ca renew", "ca renew --root-key /media/stick/root.key", "ca renew --dry-run"))
def renew(
    context: typer.Context,
    root_key: Annotated[
        Path | None, typer.Option("--root-key", metavar="FILE", help="The root's key, if it is kept elsewhere.")
    ] = None,
    passphrase_stdin: PassphraseStdin = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Issue intermediates for what lacks or ends.

    Once a year, or when `ca status` says so. Neither the root nor any device is touched, and a running gateway takes
    them over by itself.
    """
    from proxy.ca import issuing

    with opened(context) as site:
        site.demand_state_dir()
        names, ca_dir = _names(site), site.settings.ca_dir
        done = (
            issuing.plan(ca_dir, names, site.now)
            if dry_run
            else passphrases.unlocked(
                lambda given: issuing.renew(ca_dir, names, site.now, key_file=root_key, passphrase=given),
                stdin=passphrase_stdin,
            )
        )
        if as_json:
            emit_json(_renewal_fields(done, dry_run=dry_run))
        else:
            _show_renewal(done, dry_run=dry_run)


@ca.command(epilog=example("ca passphrase"))
def passphrase(context: typer.Context, passphrase_stdin: PassphraseStdin = False, as_json: Json = False) -> None:
    """Take the passphrase away, or set one.

    One that a start left beside the key is shown and deleted. A key without any gets one; a key that has one gets
    another. With --passphrase-stdin the new one is read: the last line, behind the present one if there is any.
    """
    from proxy.ca import root_key

    with opened(context) as site:
        site.demand_state_dir()
        ca_dir = site.settings.ca_dir
        left = root_key.left_passphrase(ca_dir)
        if left is not None and not passphrase_stdin:
            passphrases.hand_over(left)
            root_key.forget_passphrase(ca_dir)
            told = "It is in no file any more."
        else:
            _set_passphrase(ca_dir, known=left, stdin=passphrase_stdin)
            told = "The root's key is under it now. A copy made before is not: replace or destroy it."
        tell(told, {"root_key": _key_fields(root_key.look(ca_dir))}, as_json=as_json)


ca.command(
    name="export", epilog=example(f"ca export > {ROOT_FILE}", "ca export --for group-policy", "ca export --for ios")
)(handing_out.export)


def _set_passphrase(ca_dir: Path, *, known: str | None, stdin: bool) -> None:
    from proxy.ca import root_key
    from proxy.ca.passphrase import new_passphrase

    asks = known is None and root_key.look(ca_dir).encrypted
    if stdin:
        present = passphrases.from_stdin("present passphrase") if asks else known
        root_key.encrypt(ca_dir, passphrases.from_stdin("new passphrase"), present)
        return
    present = passphrases.unlocked(lambda given: root_key.checked(ca_dir, given), stdin=False)
    fresh = new_passphrase()
    passphrases.hand_over(fresh)
    root_key.encrypt(ca_dir, fresh, present)


def _names(site: Site) -> "Mapping[str, Sequence[HostName]]":
    from proxy.ca.names import refusable_names

    return refusable_names(site.policy, site.catalogue, site.settings.host_name)


def _status(site: Site) -> "CaStatus":
    from proxy.ca import status

    return status.status(site.settings.ca_dir, _names(site), site.now)


# Telling people


def _show(found: "CaStatus", site: Site) -> None:
    covered = sum(len(intermediate.names) for intermediate in found.intermediates)
    say(f"The CA in {site.settings.ca_dir}")
    facts(
        [
            ("Root", found.root.subject),
            *zip(("SHA-256", ""), handing_out.halves(found.root.fingerprint), strict=True),
            ("Root until", _day(found.root.expires_at, site)),
            ("Pages until", _day(found.expires_at, site) if found.intermediates else "there is no intermediate"),
            ("Root's key", _where(found.root_key)),
            ("Intermediates", f"{len(found.intermediates)}, for {covered} domains"),
            ("Without a page", _shortened(found.lacking, 2) or "none"),
        ]
    )


def _day(at: "datetime", site: Site) -> str:
    return f"{at.astimezone(site.zone):%-d %B %Y}"


def _where(key: "RootKey") -> str:
    if not key.present:
        return "not here (kept elsewhere: good)"
    if key.passphrase_left:
        return "in the CA's directory, encrypted, its passphrase beside it"
    return f"in the CA's directory, {'encrypted' if key.encrypted else 'not encrypted'}"


def _show_findings(found: "CaStatus") -> None:
    for finding in found.findings:
        flagged(finding.level, finding.message)
        if finding.remedy.startswith("schoolgate "):
            command(finding.remedy)
        else:
            say(f"    {finding.remedy}")


def _show_renewal(done: "Renewal", *, dry_run: bool) -> None:
    if not done.issued and not done.removed:
        say("Nothing to renew: every refused name has an intermediate that lasts for more than a year.")
        return
    rows = [("new", issue.title, f"{len(issue.names)}: {_shortened(issue.names)}") for issue in done.issued]
    rows += [("remove" if dry_run else "removed", title, "nothing needs it any more") for title in done.removed]
    table(["*What", "*Intermediate", "Names"], rows, empty="")
    if dry_run:
        say("Nothing was changed: this was a dry run.")
    else:
        say("A running gateway takes them over within seconds. No device needs anything.")


def _shortened(names: "Sequence[HostName]", shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (f", and {len(names) - shown} more" if len(names) > shown else "")


# Telling programs


def _renewal_fields(done: "Renewal", *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "issued": [{"title": issue.title, "names": list(issue.names)} for issue in done.issued],
        "removed": list(done.removed),
    }


def _key_fields(key: "RootKey") -> dict[str, object]:
    return {"present": key.present, "encrypted": key.encrypted, "passphrase_left": key.passphrase_left}


def _fields(found: "CaStatus", site: Site) -> dict[str, object]:
    return {
        "root": {
            "subject": found.root.subject,
            "fingerprint": found.root.fingerprint,
            "valid_from": times.iso(found.root.valid_from, site.zone),
            "expires_at": times.iso(found.root.expires_at, site.zone),
        },
        "root_key_present": found.root_key.present,
        "root_key": _key_fields(found.root_key),
        "expires_at": times.iso(found.expires_at, site.zone),
        "intermediates": [
            {
                "subject": i.subject,
                "fingerprint": i.fingerprint,
                "expires_at": times.iso(i.expires_at, site.zone),
                "names": list(i.names),
            }
            for i in found.intermediates
        ],
        "lacking": list(found.lacking),
        "findings": [
            {"level": finding.level, "message": finding.message, "remedy": finding.remedy} for finding in found.findings
        ],
    }
