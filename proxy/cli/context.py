"""What a command works on, opened when first asked for: the one composition root of the commands.

Who acts: ``--as NAME`` with a password, else the session that ``login`` kept. The clock is read here: at the start,
and again when somebody has signed in.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from proxy.cli import passwords, session, terminals
from proxy.cli.errors import CommandError, ExitCode, NotSignedIn
from proxy.cli.output import told_after, warn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from policies.model import Catalogue, Policy
    from policies.snapshot import Snapshot
    from proxy.services.permission import Actor
    from proxy.settings import Settings
    from proxy.store.engine import Store


PATIENCE = 30.0  # seconds that what ends access waits for another writer; the store's own patience is all others'
NOTICE = 1.0  # after so many it is said


@dataclass(frozen=True, slots=True)
class Globals:
    """The options before the command."""

    as_name: str | None = None
    password_stdin: bool = False


class NothingSetUp(CommandError):
    exit_code = ExitCode.STORE_UNAVAILABLE


class Site:
    """One installation of schoolgate, as one command sees it."""

    def __init__(self, options: Globals, now: datetime, *, patient: bool = False) -> None:
        self.options, self.now, self.patient = options, now, patient
        self._store: Store | None = None

    @cached_property
    def settings(self) -> "Settings":
        from proxy.settings import load

        loaded = load(os.environ)
        for warning in loaded.warnings:
            warn(warning)
        return loaded.settings

    @property
    def is_owner(self) -> bool:
        """Whether the state directory belongs to whoever runs this."""
        try:
            return self.settings.state_dir.stat().st_uid == os.geteuid()
        except FileNotFoundError:
            return True

    def demand_state_dir(self) -> None:
        """Everything but what sets up needs something that is set up."""
        if not self.settings.state_dir.is_dir():
            raise NothingSetUp(
                f"Nothing is set up in {self.settings.state_dir}.",
                code="nothing_set_up",
                hint="Run `schoolgate run` there, or name another directory with SCHOOLGATE_STATE_DIR.",
            )

    # Policy and catalogue

    @cached_property
    def snapshot(self) -> "Snapshot | None":
        """The published state, None where the keeper has not published any."""
        from proxy.snapshot import SnapshotReader

        reader = SnapshotReader(self.settings.snapshot_file)
        reader.poll(self.now, time.monotonic())
        return reader.current

    @cached_property
    def policy(self) -> "Policy":
        """The policy's file; where that is wrong, the policy that is in force instead, and a warning."""
        from policies.loading import PolicyError, default_policy_path, load_policy

        try:
            return load_policy(self.settings.policy or default_policy_path())
        except PolicyError as error:
            if self.snapshot is None:
                raise
            warn(f"The policy in force is used, for its file is wrong: {error}")
            return self.snapshot.policy

    @cached_property
    def catalogue(self) -> "Catalogue":
        """The catalogue in force, else the one that comes with schoolgate."""
        from policies.loading import load_catalogue

        return self.snapshot.catalogue if self.snapshot else load_catalogue()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The school's, of the policy in force where there is one: to read the files takes longer than to list."""
        return self.snapshot.policy.zone if self.snapshot else self.policy.zone

    # Store and actor

    @property
    def store(self) -> "Store":
        from proxy.store.engine import Store

        if self._store is None:
            if self.settings.store_url.startswith("sqlite"):
                self.demand_state_dir()
            self._store = Store.open(self.settings.store_url)
        return self._store

    @cached_property
    def actor(self) -> "Actor":
        """Who acts. Raises where nobody has signed in."""
        actor = self.actor_if_any
        if actor is None:
            raise NotSignedIn(
                "Nobody is signed in.",
                hint="Sign in with `schoolgate login NAME`, or put --as NAME before the command.",
            )
        return actor

    @cached_property
    def actor_if_any(self) -> "Actor | None":
        """Who acts; None where nobody said so and there is no session."""
        _ = self.store  # no password is asked for a store that is not there
        if self.options.as_name is not None:
            return self.sign_in(self.options.as_name, stdin=self.options.password_stdin)
        if (token := session.read_token(self.session_file)) is None:
            return None
        return self._of_session(token)

    def _of_session(self, token: str) -> "Actor | None":
        """Whose session it is. One that has ended is forgotten, and is none where nobody could sign in again."""
        from proxy.services import accounts
        from proxy.services.errors import NotPermitted

        with self.write() as unit:
            try:
                return accounts.actor_of(unit, token, self.now)
            except NotPermitted:
                session.forget_token(self.session_file)
                if accounts.needs_first_account(unit):
                    return None
                raise

    def sign_in(self, name: str, *, stdin: bool) -> "Actor":
        from proxy.services import accounts

        _ = self.store
        password = passwords.from_stdin(name) if stdin else passwords.from_terminal(name)
        with self.write() as unit:
            actor = accounts.sign_in(unit, name, password, self.now)
        self.now = datetime.now(UTC)  # typing and checking a password takes its time; what is done is done now
        return actor

    @contextmanager
    def reading(self) -> "Iterator[tuple[Session, Actor]]":
        """A unit of reading, and who asks."""
        actor = self.actor
        with self.store.read() as unit:
            yield unit, actor

    @contextmanager
    def writing(self) -> "Iterator[tuple[Session, Actor]]":
        """A unit of work, and who acts."""
        actor = self.actor
        with self.write() as unit:
            yield unit, actor

    @contextmanager
    def write(self) -> "Iterator[Session]":
        """A unit of work, when it is this command's turn: what ends access waits for it longer than the rest."""
        with ExitStack() as stack:
            with told_after(NOTICE, "The store is busy: waiting."):
                unit = self._turn(stack)
            yield unit

    def _turn(self, stack: ExitStack) -> "Session":
        from proxy.store.errors import StoreLocked

        ends = time.monotonic() + (PATIENCE if self.patient else 0)
        while True:
            try:
                return stack.enter_context(self.store.write())
            except StoreLocked:
                if time.monotonic() >= ends:
                    raise

    @property
    def nobody_said_who(self) -> bool:
        return self.options.as_name is None and session.read_token(self.session_file) is None

    @cached_property
    def session_file(self) -> Path:
        return session.session_file(os.environ, terminals.current())

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


@contextmanager
def opened(context: typer.Context, *, patient: bool = False) -> Iterator[Site]:
    """The site for one command, closed behind it."""
    site = Site(context.find_object(Globals) or Globals(), datetime.now(UTC), patient=patient)
    try:
        yield site
    finally:
        site.close()
