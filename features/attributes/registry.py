"""The convolutional units by name. A new unit is one file with one class and one ``@register_unit``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import nn


class UnitFactory(Protocol):
    """What the network calls to make one unit."""

    def __call__(self, n_in: int, n_out: int, *, stride: int, max_field: int, down: bool) -> nn.Module:
        """Make a unit; `down` leaves out the identity and the last activation, which the down-sampler has itself.

        `max_field` is the largest receptive field, in pixels of this stage, that a dilated branch may have; units
        without dilation ignore it.
        """


FactoryT = TypeVar("FactoryT", bound=UnitFactory)


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One registered unit.

    Attributes
    ----------
    name
        Name in `features.attributes.build` and in settings.
    factory
        Makes the unit.
    reference
        Where it was published.
    """

    name: str
    factory: UnitFactory
    reference: str


_UNITS: dict[str, UnitSpec] = {}


def register_unit(name: str, *, reference: str) -> Callable[[FactoryT], FactoryT]:
    """Decorate a unit class so that `features.attributes.build` knows it under `name`.

    Raises
    ------
    ValueError
        If another unit has that name.
    """

    def register(factory: FactoryT) -> FactoryT:
        if name in _UNITS:
            raise ValueError(f"Expected a new unit name, got {name!r}, which is registered already.")
        _UNITS[name] = UnitSpec(name=name, factory=factory, reference=reference)
        return factory

    return register


def registered_units() -> tuple[str, ...]:
    """Names of the units, in the order of registration."""
    return tuple(_UNITS)


def find_unit(name: str) -> UnitSpec:
    """Look up a unit.

    Raises
    ------
    ValueError
        If no unit has that name.
    """
    if name not in _UNITS:
        raise ValueError(f"Expected a unit among {', '.join(_UNITS)}, got {name!r}.")
    return _UNITS[name]
