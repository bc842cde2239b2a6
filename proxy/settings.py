"""Where things are and how they are reached: the settings file, the environment, the defaults, in that order of rank.

``SCHOOLGATE_…`` wins over ``/etc/schoolgate/schoolgate.toml`` (``SCHOOLGATE_CONFIG`` names another), which wins over
the defaults. Unknown settings are warned of, wrong ones are errors that name the setting and where it was set.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, field_validator, model_validator

from policies.names import HostName, InvalidName, host_name

DEFAULT_FILE = Path("/etc/schoolgate/schoolgate.toml")
PREFIX = "SCHOOLGATE_"
NOT_SETTINGS = frozenset({"CONFIG", "SESSION", "TEST_ALL"})  # SCHOOLGATE_… names that mean something else


class SettingsError(Exception):
    """A setting is wrong; the message says which, where it was set, and what was expected."""


class ListenMode(StrEnum):
    EXPLICIT = "explicit"
    EXPLICIT_TLS = "explicit+tls"
    TRANSPARENT = "transparent"


class Lane(StrEnum):
    AUTO = "auto"
    STOCK = "stock"


class ProxyAuth(StrEnum):
    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port; an empty host means all addresses."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        host, colon, port = text.strip().rpartition(":")
        if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:  # noqa: PLR2004 -- the largest port
            raise ValueError(f"{text!r} is no address and port: write HOST:PORT, such as 127.0.0.1:8080")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket and how clients meet it."""

    mode: ListenMode
    endpoint: Endpoint

    @classmethod
    def parse(cls, text: str) -> Self:
        mode, at, endpoint = text.strip().partition("@")
        if not at or mode not in ListenMode:
            modes = ", ".join(f"{known}@HOST:PORT" for known in ListenMode)
            raise ValueError(f"{text!r} is no listener: write one of {modes}")
        return cls(ListenMode(mode), Endpoint.parse(endpoint))

    def __str__(self) -> str:
        return f"{self.mode}@{self.endpoint}"


def _listed(value: object) -> object:
    return [item for item in (part.strip() for part in value.split(",")) if item] if isinstance(value, str) else value


def _listeners(value: object) -> object:
    items = _listed(value)
    return tuple(Listener.parse(i) if isinstance(i, str) else i for i in items) if isinstance(items, list) else items


def _endpoint(value: object) -> object:
    return Endpoint.parse(value) if isinstance(value, str) else value


def _host_name(value: object) -> object:
    try:
        return host_name(value) if isinstance(value, str) else value
    except InvalidName as error:
        raise ValueError(
            f"{value!r} is no name: {error}; write it as devices do, such as gate.school.example"
        ) from None


def _default_state_dir() -> Path:
    return Path("/var/lib/schoolgate") if os.geteuid() == 0 else Path.home() / ".local/state/schoolgate"


class Settings(BaseModel):
    """Every setting, validated. ``resolver`` entries are ``HOST``, ``HOST:PORT`` or ``SUFFIX=HOST[:PORT]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    state_dir: Path
    policy: Path | None = None  # None: the policy that comes with schoolgate
    store_url: str
    listen: Annotated[tuple[Listener, ...], BeforeValidator(_listeners)]
    status: Annotated[Endpoint, BeforeValidator(_endpoint)]
    admin: Annotated[Endpoint, BeforeValidator(_endpoint)]
    lane: Lane = Lane.STOCK
    workers: int = 1
    resolver: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    proxy_auth: ProxyAuth = ProxyAuth.OFF
    host_name: Annotated[HostName | None, BeforeValidator(_host_name)] = None  # the gateway's own, as devices write it
    tls_certificate: Path | None = None  # PEM, key and chain; None: one from the school's own CA

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values: Mapping[str, object]) -> Mapping[str, object]:
        state_dir = Path(str(values.get("state_dir") or _default_state_dir())).expanduser().absolute()
        defaults: dict[str, object] = {
            "store_url": f"sqlite:///{state_dir}/schoolgate.db",
            "listen": "explicit@127.0.0.1:8080",
            "status": "127.0.0.1:9464",
            "admin": "127.0.0.1:8444",
        }
        return {**defaults, **values, "state_dir": state_dir}

    @field_validator("listen")
    @classmethod
    def _somewhere(cls, value: tuple[Listener, ...]) -> tuple[Listener, ...]:
        if not value:
            raise ValueError("nobody could connect: write at least one, such as explicit@127.0.0.1:8080")
        return value

    @field_validator("workers")
    @classmethod
    def _one_worker(cls, value: int) -> int:
        if value != 1:
            raise ValueError("only 1 works so far: one process enforces")
        return value

    @model_validator(mode="after")
    def _tls_needs_a_name(self) -> Self:
        """Devices check whom they give a password to: without a name there is nothing that they could check."""
        tls = [listener for listener in self.listen if listener.mode is ListenMode.EXPLICIT_TLS]
        if tls and self.host_name is None and self.tls_certificate is None:
            raise ValueError(
                f"listen: {tls[0]} needs `host_name`, the gateway's name in DNS as devices write it, or "
                "`tls_certificate`, a PEM file of key and chain"
            )
        return self

    # What lies in the state directory

    @property
    def ca_dir(self) -> Path:
        return self.state_dir / "ca"

    @property
    def snapshot_file(self) -> Path:
        return self.state_dir / "snapshot"

    @property
    def journal_dir(self) -> Path:
        return self.state_dir / "journal"

    @property
    def process_dir(self) -> Path:
        """One small file per process: its figures, for ``/metrics`` and ``/readyz``."""
        return self.state_dir / "processes"

    @property
    def reference_key_file(self) -> Path:
        return self.state_dir / "reference.key"

    @property
    def identity_socket(self) -> Path:
        """Where the keeper says who a person is."""
        return self.state_dir / "identity.sock"

    @property
    def lock_file(self) -> Path:
        return self.state_dir / "run.lock"


@dataclass(frozen=True, slots=True)
class Loaded:
    settings: Settings
    warnings: tuple[str, ...]


def load(environment: Mapping[str, str]) -> Loaded:
    """Read the settings. Raises SettingsError, naming the setting and its source."""
    path = Path(environment.get(PREFIX + "CONFIG", DEFAULT_FILE))
    explicit = PREFIX + "CONFIG" in environment
    from_file = _read_file(path, required=explicit)
    from_environment = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in NOT_SETTINGS
    }
    sources = {**dict.fromkeys(from_file, str(path)), **{n: PREFIX + n.upper() for n in from_environment}}
    values = {**from_file, **from_environment}
    unknown = [name for name in values if name not in Settings.model_fields]
    warnings = tuple(f"{sources[name]}: unknown setting {name!r} is ignored" for name in unknown)
    try:
        settings = Settings.model_validate({name: v for name, v in values.items() if name not in unknown})
    except ValidationError as error:
        raise SettingsError(_explain(error, sources)) from error
    return Loaded(settings, warnings)


def _read_file(path: Path, *, required: bool) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise SettingsError(f"{path}: no such settings file ({PREFIX}CONFIG names it)") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as settings: {error}") from error


def _explain(error: ValidationError, sources: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors():
        message = problem["msg"].removeprefix("Value error, ")
        if problem["loc"]:
            name = str(problem["loc"][0])
        else:  # of several settings together; the message begins with the one to look at
            name, _, message = message.partition(": ")
        lines.append(f"{sources.get(name, name)}: {name}: {message}")
    return "\n".join(lines)
