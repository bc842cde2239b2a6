"""The real keeper on a real store: what it publishes, when it vouches for it, and what becomes of it without either."""

import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command

from policies.authorisation import State
from policies.loading import load_catalogue, load_policy
from proxy.init import prepare
from proxy.settings import load as load_settings
from proxy.store import schema
from proxy.store.connection import Place, engine_for, writers
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.processes import Process, clean_environment, free_port, http_status
from tests.integration.keeper.conftest import POLICY, School


def older(school: School) -> None:
    """Put a store of the first schema in the place of the one that is there."""
    store = Path(school.settings.store_url.removeprefix("sqlite:///"))
    store.unlink()
    store.touch(mode=0o600)
    engine = engine_for(Place.parse(school.settings.store_url))
    with writers(engine).begin() as connection:
        command.upgrade(schema.configuration(connection), "0001")
    engine.dispose()


def test_a_grant_is_published_at_once(school: School) -> None:
    """Another process commits; the enforcing ones have it without anybody being told."""
    number = school.snapshot.number
    granted = school.grant()
    found = school.published(lambda snapshot: snapshot.authorisations)
    assert [(a.id, a.state(datetime.now(UTC))) for a in found.authorisations] == [(granted, State.LIVE)]
    assert found.number > number
    eventually(lambda: school.figure("schoolgate_authorisations_total", event="granted") == 1)
    assert school.figure("schoolgate_authorisations_live") == 1


def test_an_end_is_latched_in_the_store(school: School) -> None:
    """When a grant's time is up that is noted for good, and counted."""
    school.grant(timedelta(seconds=1))
    found = school.published(lambda snapshot: any(a.lapsed_at for a in snapshot.authorisations))
    assert found.authorisations[0].state(datetime.now(UTC) - timedelta(hours=1)) is State.ENDED
    eventually(lambda: school.figure("schoolgate_authorisations_total", event="ended") == 1)


def test_it_vouches_while_the_store_answers(school: School) -> None:
    """Again and again, without publishing anything new."""
    number = school.snapshot.number
    assert school.confirmed() < school.confirmed()
    assert school.snapshot.number == number


def test_a_changed_policy_takes_effect(school: School) -> None:
    """Edited while running."""
    school.write_policy(POLICY.replace("the office", "the head"))
    school.published(lambda snapshot: snapshot.policy.school.contact == "the head")


def test_an_invalid_policy_changes_nothing(school: School) -> None:
    """The one before stays in force; it is logged with its line, counted, and mended by the next edit."""
    school.write_policy(POLICY.replace("verdict: deny", "verdict: perhaps"))
    eventually(lambda: school.figure("schoolgate_policy_reload_failures_total") == 1)
    assert "policy.yaml:4" in school.process.output
    assert school.snapshot.policy.school.contact == "the office"
    school.write_policy(POLICY.replace("the office", "the head"))
    school.published(lambda snapshot: snapshot.policy.school.contact == "the head")


def test_a_snapshot_that_is_removed_or_damaged_is_put_back(school: School) -> None:
    """Under a new number, so that every reader takes it."""
    number = school.snapshot.number
    school.settings.snapshot_file.write_bytes(b"nonsense")
    school.published(lambda snapshot: snapshot.number > number)
    school.settings.snapshot_file.unlink()
    school.published(lambda snapshot: snapshot.number > number + 1)


def test_with_the_keeper_hung_or_dead_enforcement_goes_on(school: School) -> None:
    """A reader keeps the last state, which grows older; a keeper that goes on, or the next one, vouches again."""
    granted = school.grant()
    before = school.published(lambda snapshot: snapshot.authorisations)
    school.process.running.send_signal(signal.SIGSTOP)
    assert [a.id for a in school.snapshot.authorisations] == [granted]
    assert school.snapshot.number == before.number
    school.process.running.send_signal(signal.SIGCONT)
    school.confirmed()
    school.process.kill()
    assert school.snapshot.number == before.number
    school.process.start()
    again = school.published(lambda snapshot: snapshot.number > before.number)
    assert again.authorisations == before.authorisations
    assert again.confirmed_at > before.confirmed_at


def test_with_the_store_away_nobody_vouches(school: School) -> None:
    """The snapshot stays and grows old, the policy can still change; when the store is back, so are its figures."""
    school.grant()
    school.published(lambda snapshot: snapshot.authorisations)
    store = Path(school.settings.store_url.removeprefix("sqlite:///"))
    store.rename(store.with_suffix(".away"))
    eventually(lambda: school.figure("schoolgate_store_up") == 0)
    confirmed_at = school.snapshot.confirmed_at
    school.write_policy(POLICY.replace("the office", "the head"))
    found = school.published(lambda snapshot: snapshot.policy.school.contact == "the head")
    assert found.confirmed_at == confirmed_at
    assert len(found.authorisations) == 1
    store.with_suffix(".away").rename(store)
    school.confirmed()
    eventually(lambda: school.figure("schoolgate_store_up") == 1)


def test_a_locked_store_is_waited_for(school: School) -> None:
    """Somebody else's long write keeps nobody from enforcing, nor the keeper from vouching."""
    store = school.settings.store_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        school.confirmed()
        eventually(lambda: school.figure("schoolgate_store_up") == 1)  # the figures are written in their own time
        other.execute("ROLLBACK")
    school.grant()
    school.published(lambda snapshot: snapshot.authorisations)


def test_it_starts_without_its_store_on_the_last_snapshot(school: School) -> None:
    """The store may come later; until then the last good state is enforced, under the policy of today."""
    school.process.stop()
    confirmed_at = school.snapshot.confirmed_at
    store = Path(school.settings.store_url.removeprefix("sqlite:///"))
    store.rename(store.with_suffix(".away"))
    school.write_policy(POLICY.replace("the office", "the head"))
    school.process.start()
    found = school.published(lambda snapshot: snapshot.policy.school.contact == "the head")
    assert found.confirmed_at == confirmed_at
    store.with_suffix(".away").rename(store)
    school.published(lambda snapshot: snapshot.confirmed_at > confirmed_at)


def test_without_store_and_snapshot_there_is_no_start(still: School) -> None:
    """There is nothing to enforce by: exit code 4, and a sentence."""
    store = Path(still.settings.store_url.removeprefix("sqlite:///"))
    store.unlink()
    assert still.process.start().running.wait(30) == 4
    assert str(store) in still.process.output
    assert not still.settings.snapshot_file.exists()


def test_an_older_store_is_taken_up_once_it_is_upgraded(school: School) -> None:
    """Until then the last state is enforced, and the log says which command it waits for."""
    school.process.stop()
    older(school)
    confirmed_at = school.snapshot.confirmed_at
    school.process.start()
    eventually(lambda: "schoolgate store upgrade" in school.process.output)
    assert school.snapshot.confirmed_at == confirmed_at
    schema.upgrade(school.settings.store_url)
    school.published(lambda snapshot: snapshot.confirmed_at > confirmed_at)


def test_an_older_store_without_a_snapshot_is_no_start(still: School) -> None:
    """Exit code 4, and the command that upgrades it."""
    older(still)
    assert still.process.start().running.wait(30) == 4
    assert "schoolgate store upgrade" in still.process.output
    assert schema.status(still.settings.store_url).revision == "0001"


@pytest.mark.parametrize("text", ["", "rules: ["])
def test_without_a_policy_there_is_no_start(still: School, text: str) -> None:
    """Missing, empty or broken: it ends with a sentence that names the file."""
    still.policy_file.write_text(text)
    assert still.process.start().running.wait(30) != 0
    assert "policy.yaml" in still.process.output
    assert "Traceback" not in still.process.output
    assert not still.settings.snapshot_file.exists()


def test_a_second_keeper_refuses(school: School, tmp_path: Path) -> None:
    """Two would record and publish against each other."""
    environment = {**school.process.environment, "SCHOOLGATE_STATUS": f"127.0.0.1:{free_port()}"}
    second = Process(school.process.command, environment, tmp_path / "second.log").start()
    assert second.running.wait(30) == 1
    assert f"process {school.process.pid}" in second.output
    assert "Traceback" not in second.output


def test_a_taken_port_is_told_by_its_setting(school: School, tmp_path: Path) -> None:
    """Exit code 2, and which setting to change."""
    environment = {**school.process.environment, "SCHOOLGATE_STATE_DIR": str(tmp_path / "other")}
    loaded = load_settings(clean_environment(environment)).settings
    prepare(loaded, load_policy(school.policy_file), load_catalogue(), datetime.now(UTC))
    second = Process(school.process.command, environment, tmp_path / "second.log").start()
    assert second.running.wait(30) == 2
    assert "SCHOOLGATE_STATUS" in second.output


def test_the_keeper_alone_is_alive_but_nothing_is_ready(school: School) -> None:
    """Readiness is about enforcing, which the keeper does not do."""
    base = f"http://{school.settings.status}"
    assert http_status(f"{base}/healthz") == 200
    assert http_status(f"{base}/readyz") == 503


def test_it_ends_when_told_to(school: School) -> None:
    """SIGTERM: exit code 0, and nothing to say about it."""
    assert school.process.stop() == 0
    assert "Traceback" not in school.process.output
