"""Every expected error is a sentence, a code and an exit code."""

import json

import pytest

from policies.loading import PolicyError
from proxy.ca.errors import CaMissing
from proxy.cli.errors import ExitCode, Failure, NotSignedIn, WrongUse, failure_of, report
from proxy.files import AlreadyRunning
from proxy.init import InitError
from proxy.record.reference import ReferenceKeyError
from proxy.services import errors as services
from proxy.settings import SettingsError
from proxy.store import errors as store


@pytest.mark.parametrize(
    ("error", "exit_code", "code"),
    [
        (WrongUse("x"), 2, "usage"),
        (NotSignedIn("x"), 3, "not_signed_in"),
        (SettingsError("x"), 2, "settings_invalid"),
        (services.NotPermitted("no", "x"), 3, "no"),
        (services.Refused("no", "x"), 1, "no"),
        (services.UnknownName("no", "x"), 1, "no"),
        (services.Conflict("no", "x"), 1, "no"),
        (services.BadInput("no", "x"), 2, "no"),
        (store.StoreMissing("x"), 4, "store_missing"),
        (store.StoreReadOnly("x"), 4, "store_read_only"),
        (store.StoreNewer("x"), 4, "store_newer"),
        (store.StoreError("x"), 4, "store_error"),
        (PolicyError("x"), 1, "policy_invalid"),
        (CaMissing("x", "y"), 1, "ca_missing"),
        (InitError("x", "y"), 1, "state_dir"),
        (ReferenceKeyError("x"), 1, "reference_key"),
        (AlreadyRunning("x"), 1, "already_running"),
        (PermissionError(13, "Permission denied", "/x"), 1, "system"),
    ],
)
def test_translation(error, exit_code, code):
    """One table of what each means to whoever typed the command."""
    failure = failure_of(error)
    assert failure is not None
    assert (failure.exit_code, failure.code) == (exit_code, code)
    assert "x" in failure.message


def test_every_service_error_has_the_exit_code_it_says():
    """The services' own word and the command's agree."""
    for kind in (services.NotPermitted, services.Refused, services.UnknownName, services.Conflict, services.BadInput):
        failure = failure_of(kind("a", "b"))
        assert failure is not None
        assert failure.exit_code == kind.exit_code


def test_what_nobody_expected_is_not_translated():
    """A fault in the code is not dressed up as anything else."""
    assert failure_of(TypeError("x")) is None


def test_errors_in_words(capsys):
    """The sentence, then what to do about it, neutralised, on standard error."""
    report(Failure(ExitCode.FAILED, "c", "It is\x1b[31m wrong.\nTwice.", "Do this."), as_json=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "schoolgate: It is\\x1b[31m wrong.\nschoolgate: Twice.\n  Do this.\n"


def test_errors_in_json(capsys):
    """One object on standard error."""
    report(Failure(ExitCode.FAILED, "c", "It is wrong.", "Do this."), as_json=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err) == {"error": {"code": "c", "message": "It is wrong.", "hint": "Do this."}}


def test_huge_messages_are_cut(capsys):
    """Nobody reads a megabyte of what they typed."""
    report(Failure(ExitCode.FAILED, "c", "a" * 1_000_000), as_json=False)
    assert len(capsys.readouterr().err) < 600
