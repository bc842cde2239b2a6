"""What ``run`` says before it goes on: where everything is, and the next three things to type."""

import os
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from proxy.cli.context import Site
from proxy.cli.output import command, facts, flagged, say, warn

FIRST = "head"
FIRST_PERSON = "Head teacher"
ADD_FIRST = f'schoolgate people add {FIRST} --name "{FIRST_PERSON}" --role slt --password-stdin'
ROOT_FILE = "schoolgate-root.pem"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another


def first_account(site: Site) -> str | None:
    """Make the first account of SLT if there is none and somebody can read its password; the password, shown once."""
    from policies.vocabulary import Role
    from proxy.services import accounts
    from proxy.services.errors import ServiceError
    from proxy.store.errors import StoreError

    try:
        with site.store.write() as unit:
            if not accounts.needs_first_account(unit):
                return None
            if not sys.stdout.isatty():
                warn(f"Nobody can grant yet. Add the first account of SLT: {ADD_FIRST}")
                return None
            password = _password()
            accounts.add_person(
                unit,
                None,
                name=FIRST,
                display_name=FIRST_PERSON,
                role=Role.SLT,
                password=password,
                now=site.now,
                owner=site.is_owner,
            )
            return password
    except (ServiceError, StoreError) as error:
        warn(f"{error} {error.hint}")
        return None


def welcome(site: Site, password: str | None) -> None:
    settings = site.settings
    say(f"schoolgate enforces the {site.policy.school.policy_title} of {site.policy.school.name}.")
    facts(
        [
            ("Proxy", ", ".join(str(listener) for listener in settings.listen)),
            ("Metrics", f"http://{settings.status}/metrics"),
            ("State", settings.state_dir),
            ("Policy", settings.policy or "the one that comes with schoolgate"),
            ("Command", _program()),
        ]
    )
    if password is not None:
        say("")
        say(f"The first account is {FIRST}, its password {password} (shown this once).")
    _tell_of_root_key(site)
    say("")
    say("Next:")
    say("1. Let the devices trust the refusal pages:")
    command(f"schoolgate ca export > {ROOT_FILE}")
    say("2. See what is decided, and why:")
    command("schoolgate why www.facebook.com --from 127.0.0.1")
    say("3. Open something for a while:")
    command(f"schoolgate --as {FIRST} grant 127.0.0.1 facebook --for 2h --reason Trial")
    say("")
    say("Ctrl-C stops it.")
    sys.stdout.flush()


def _tell_of_root_key(site: Site) -> None:
    """Said at every start until it is put right: whoever copies the directory has the CA."""
    from proxy.ca.errors import CaError
    from proxy.ca.findings import of_key

    with suppress(CaError):  # a warning has told already what is wrong with it
        for finding in of_key(site.settings.ca_dir):
            say("")
            flagged(finding.level, finding.message)
            command(finding.remedy)


def _program() -> str:
    """What to type for ``schoolgate`` here: where it is not on the path, the way to it."""
    if shutil.which("schoolgate") is not None:
        return "schoolgate"
    beside = Path(sys.executable).with_name("schoolgate")
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)


def _password() -> str:
    """Four groups of four: 79 bits, and easy to read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
