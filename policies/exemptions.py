"""What passes whatever the rules say, and why: by host, by bundle, by service as the school's choice."""

from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import ConfigDict, Field, ValidationInfo, model_validator

from policies.bundles import Bundle
from policies.fields import Domain, Frozen, Key, field_of

type TakeBundle = Callable[[object], Bundle]  # by its name; raises ValueError where there is none
TAKE_BUNDLE = "take_bundle"  # in the context of a validation


def _said_by_the_bundle(schema: dict[str, Any]) -> None:
    """For editors: an entry that names a bundle need not say why."""
    schema["anyOf"] = [{"required": ["bundle"]}, {"required": schema.pop("required")}]


class Exemption(Frozen):
    """Hosts or whole services that pass, and why. A teaching service is one, as a choice.

    Where the file names a bundle, its hosts are filled in while it is read, and reason and clause unless it says them.
    """

    model_config = ConfigDict(json_schema_extra=_said_by_the_bundle)

    because: str = Field(min_length=1)
    clause: str
    domains: tuple[Domain, ...] = ()
    services: tuple[Key, ...] = ()
    bundle: Key | None = None

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, values: object, info: ValidationInfo) -> object:
        name = field_of(values, "bundle")
        if not isinstance(values, Mapping) or name is None or info.context is None:
            return values
        if said := next((field for field in ("domains", "services") if field in values), None):
            raise ValueError(f"{said}: leave it out beside a bundle; write an entry of its own for further hosts")
        take: TakeBundle = info.context[TAKE_BUNDLE]
        bundle = take(name)
        return {"because": bundle.because, "clause": bundle.clause, **values, "domains": bundle.domains}

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.domains or self.services):
            raise ValueError("names nothing that passes: write domains, services or a bundle")
        return self


class TeachingService(Frozen):
    """A service in the catalogue that lessons use: the school chooses, with clause and reason."""

    service: Key
    allow: bool
    clause: str
    because: str = Field(min_length=1)

    def as_exemption(self) -> Exemption:
        return Exemption(because=self.because, clause=self.clause, services=(self.service,))
