"""Every failure as one sentence, a hint, and an exit code: errors are translated here, once, for all commands.

0 done, 1 failed or refused by policy, 2 wrong use, 3 not permitted, 4 store unavailable. With ``--json`` a failure is
``{"error": {"code", "message", "hint"}}`` on standard error.
"""

import json
import re
import sys
from dataclasses import dataclass
from enum import IntEnum

import typer

from proxy.cli.output import clean

LONGEST_LINE = 500


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    NOT_PERMITTED = 3
    STORE_UNAVAILABLE = 4
    INTERRUPTED = 130  # the shell's own, for Ctrl-C


class CommandError(Exception):
    """What a command itself finds wrong."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, code: str = "failed", hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


class WrongUse(CommandError):
    exit_code = ExitCode.WRONG_USE

    def __init__(self, message: str, *, code: str = "usage", hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)


class NotSignedIn(CommandError):
    exit_code = ExitCode.NOT_PERMITTED

    def __init__(self, message: str, *, code: str = "not_signed_in", hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is shown of an error."""

    exit_code: int
    code: str
    message: str
    hint: str = ""


def failure_of(error: Exception) -> Failure | None:
    """What to show of an expected error; None for one that nobody expected."""
    match error:
        case CommandError():
            return Failure(error.exit_code, error.code, str(error), error.hint)
        case typer.TyperException():
            return Failure(
                error.exit_code, "usage" if error.exit_code == ExitCode.WRONG_USE else "failed", *_usage(error)
            )
    return _of_settings(error) or _of_services(error) or _of_parts(error) or _of_the_system(error)


def report(failure: Failure, *, as_json: bool) -> None:
    """Say it on standard error."""
    if as_json:
        error = {"code": failure.code, "message": _cut(failure.message), "hint": failure.hint}
        sys.stderr.write(json.dumps({"error": error}) + "\n")
        return
    for line in _cut(failure.message).splitlines():
        sys.stderr.write(f"schoolgate: {clean(line)}\n")
    for line in failure.hint.splitlines():
        sys.stderr.write(f"  {clean(line)}\n")


def _cut(message: str) -> str:
    """What was typed may be huge; its beginning is enough to know it by."""
    lines = (line[:LONGEST_LINE] + "…" if len(line) > LONGEST_LINE else line for line in message.splitlines())
    return "\n".join(lines)


def _usage(error: typer.TyperException) -> tuple[str, str]:
    context = getattr(error, "ctx", None)
    if context is None:
        return error.format_message(), "See `schoolgate --help`."
    known = getattr(context.command, "commands", {}) if context.parent is not None else {}
    choice = f"Commands: {', '.join(known)}. " if known else ""
    return error.format_message(), f"{choice}See `{context.command_path} --help`."


def _of_settings(error: Exception) -> Failure | None:
    from proxy.settings import SettingsError

    if not isinstance(error, SettingsError):
        return None
    return Failure(ExitCode.WRONG_USE, "settings_invalid", str(error), "Correct the setting and try again.")


def _of_services(error: Exception) -> Failure | None:
    from proxy.services.errors import BadInput, NotPermitted, ServiceError
    from proxy.store.errors import StoreError

    match error:
        case NotPermitted():
            exit_code = ExitCode.NOT_PERMITTED
        case BadInput():
            exit_code = ExitCode.WRONG_USE
        case ServiceError():
            exit_code = ExitCode.FAILED
        case StoreError():
            return Failure(ExitCode.STORE_UNAVAILABLE, _snake(type(error).__name__), str(error), error.hint)
        case _:
            return None
    return Failure(exit_code, error.code, error.message, error.hint)


def _of_parts(error: Exception) -> Failure | None:
    from policies.loading import PolicyError
    from proxy.ca.errors import CaError
    from proxy.files import AlreadyRunning
    from proxy.init import InitError
    from proxy.record.reference import ReferenceKeyError

    match error:
        case PolicyError():
            return Failure(
                ExitCode.FAILED,
                "policy_invalid",
                str(error),
                "Correct it; `schoolgate policy check` says when it is right.",
            )
        case CaError():
            return Failure(ExitCode.FAILED, _snake(type(error).__name__), str(error), error.hint)
        case InitError():
            return Failure(ExitCode.FAILED, "state_dir", str(error), error.hint)
        case ReferenceKeyError():
            return Failure(ExitCode.FAILED, "reference_key", str(error))
        case AlreadyRunning():
            return Failure(ExitCode.FAILED, "already_running", str(error))
    return None


def _of_the_system(error: Exception) -> Failure | None:
    if not isinstance(error, OSError):
        return None
    where = f"{error.filename}: " if error.filename else ""
    return Failure(ExitCode.FAILED, "system", f"{where}{error.strerror or type(error).__name__}")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
