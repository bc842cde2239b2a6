"""``schoolgate ca export``: the root certificate, and how to give it to devices."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.context import opened
from proxy.cli.errors import CommandError, WrongUse
from proxy.cli.output import Json, emit_json, facts, say

if TYPE_CHECKING:
    from cryptography import x509

    from proxy.ca.platforms import Guide


class Platform(StrEnum):
    """``proxy.ca.platforms`` has a guide for each."""

    GROUP_POLICY = "group-policy"
    INTUNE = "intune"
    JAMF = "jamf"
    CHROMEBOOK = "chromebook"
    FIREFOX = "firefox"
    IOS = "ios"
    MACOS = "macos"
    ANDROID = "android"
    LINUX = "linux"


def export(
    context: typer.Context,
    platform: Annotated[Platform | None, typer.Option("--for", help="Show the steps for a platform.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file.")] = None,
    der: Annotated[bool, typer.Option("--der", help="DER instead of PEM.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Give out the root certificate that devices are to trust.

    PEM on standard output; with --for, the steps for a platform, and with --out the file that they speak of.
    """
    from proxy.ca import storage
    from proxy.ca.files import contents
    from proxy.ca.platforms import BY_PLATFORM

    if platform is not None and der:
        raise WrongUse("--der and --for do not go together: a guide knows the form that its platform takes.")
    with opened(context) as site:
        site.demand_state_dir()
        root = storage.read_root(site.settings.ca_dir)
    guide = BY_PLATFORM[platform] if platform is not None else None
    data = contents("root.der" if der else guide.file if guide else "root.pem", root)
    if out is not None:
        _write(out, data, force=force)
    if as_json:
        emit_json(_fields(root, guide, out))
    elif guide is not None:
        _show(guide, root, out)
    elif out is not None:
        say(f"{out} holds the root certificate. Compare its fingerprint on the devices:")
        _show_fingerprint(root)
    elif der and sys.stdout.isatty():
        raise WrongUse("DER is not for a terminal.", hint="Name a file: schoolgate ca export --der --out FILE")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)


def _write(out: Path, data: bytes, *, force: bool) -> None:
    """Readable for everybody: there is nothing secret in it. Whole, or not at all."""
    from proxy.files import replace_file

    if not force and (out.exists() or out.is_symlink()):
        raise CommandError(
            f"{out}: there is a file of that name.", code="file_exists", hint="Add --force to replace it."
        )
    replace_file(out, data)
    out.chmod(0o644)


def _show(guide: "Guide", root: "x509.Certificate", out: Path | None) -> None:
    from proxy.ca.files import root_name

    steps = list(guide.steps)
    if out is None:
        steps.insert(0, f"Write the file: schoolgate ca export --for {guide.platform} --out {guide.file}")
    else:
        say(f"{out} is written; there is nothing secret in it.")
        say("")
    for number, step in enumerate(steps, start=1):
        say(f"{number}. {step.format(file=out or guide.file, name=root_name(root))}")
    say("")
    say("A person compares the fingerprint with what the device shows, before it is trusted:")
    _show_fingerprint(root)
    say("")
    say(f"What confines it there: {guide.honours}")
    say("")
    say(f"From: {'; '.join(guide.sources)}.")
    if guide.unconfirmed:
        say(f"Not confirmed: {guide.unconfirmed}.")


def _show_fingerprint(root: "x509.Certificate") -> None:
    from proxy.ca.certificates import fingerprint

    facts(zip(("SHA-256", ""), halves(fingerprint(root)), strict=True))


def halves(fingerprint: str) -> tuple[str, str]:
    """On two lines of sixteen pairs, as it is compared."""
    middle = len(fingerprint) // 2 + 1
    return fingerprint[:middle], fingerprint[middle:]


def _fields(root: "x509.Certificate", guide: "Guide | None", out: Path | None) -> dict[str, object]:
    from proxy.ca.certificates import certificate_pem, fingerprint
    from proxy.ca.files import root_name

    told = {"file": out or (guide.file if guide else None), "name": root_name(root)}
    return {
        "name": root_name(root),
        "fingerprint": fingerprint(root),
        "certificate": certificate_pem(root).decode("ascii"),
        "file": str(out) if out is not None else None,
        "platform": guide.platform if guide else None,
        "steps": [step.format(**told) for step in guide.steps] if guide else None,
        "honours": guide.honours if guide else None,
        "sources": list(guide.sources) if guide else None,
        "unconfirmed": (guide.unconfirmed or None) if guide else None,
    }
