"""From the authors' checkpoints to ours: the same network with layers that their code builds and never applies.

Notes
-----
The released code has, beside what `features.attributes.network` has, a PReLU at the end of the unit in every down-sampler
(``n_out - n_in`` slopes, 992 in all at width scale 2) and an image reinforcement in the fourth (5,210 parameters). Those tensors
are dropped; any other surplus is refused.

The key names of the released files were not available when this was written. So tensors are matched either by order and
shape, for which the order of construction must be that of the forward pass (EESP units may hold their expanding convolution
before the normalisation of the pyramid), or by a map of names. Neither has been tried on a released file.

References
----------
Li, Mehta, Aneja, Foster, Ventola, Shic & Shapiro (2019). A facial affect analysis system for autism spectrum disorder.
https://doi.org/10.1109/ICIP.2019.8803604
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from features.attributes import build
from features.attributes.model import load_tensors
from features.attributes.network import AttributeNetwork, Reinforcement

TensorMap = Mapping[str, torch.Tensor]

_PARALLEL_PREFIX: Final = "module."
_TRACKED: Final = "num_batches_tracked"
_N_DOWNS: Final = 4
_N_LISTED: Final = 20
_CHILD_ORDERS: Final = (
    (),
    ("reduce", "pyramid", "expand", "merge", "activation"),
)
"""Orders in which a unit's layers may have been built; the first is that of our classes."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One tensor of the authors' layout.

    Attributes
    ----------
    name
        Its name in our network; empty where it is dead.
    kind
        Last part of its name: ``weight``, ``bias``, ``running_mean``, ``running_var`` or ``num_batches_tracked``.
    shape
        Its shape.
    """

    name: str
    kind: str
    shape: tuple[int, ...]

    @property
    def dead(self) -> bool:
        """Whether no forward pass uses it."""
        return not self.name


def strip_parallel_prefix(tensors: TensorMap) -> dict[str, torch.Tensor]:
    """Names without the ``module.`` that DataParallel puts before all of them."""
    if tensors and all(name.startswith(_PARALLEL_PREFIX) for name in tensors):
        return {name.removeprefix(_PARALLEL_PREFIX): value for name, value in tensors.items()}
    return dict(tensors)


def released_slots(network: AttributeNetwork, *, child_order: Sequence[str] = ()) -> list[Slot]:
    """Tensors of the authors' layout in the order of the forward pass, the dead ones among them.

    Parameters
    ----------
    network
        A network of the unit and scale in question.
    child_order
        Order of the layers in a unit, where it is not that of our classes.

    Returns
    -------
    list of Slot
    """
    state = network.state_dict()
    slots = list(_slots_below("stem", state))
    for i in range(_N_DOWNS):
        slots += _ordered(f"downs.{i}.unit", state, child_order)
        slots.append(Slot("", "weight", (_unit_channels(network, i),)))
        reinforcement = list(_slots_below(f"downs.{i}.reinforcement", state))
        slots += reinforcement or list(_dead_reinforcement(_down_channels(network, i)))
        slots += _slots_below(f"downs.{i}.activation", state)
        n_units = len(network.stages[i])  # type: ignore[arg-type]
        for j in range(n_units):
            slots += _ordered(f"stages.{i}.{j}", state, child_order)
    return [*slots, *_slots_below("head", state), *_slots_below("predict", state)]


def load_released(
    tensors: TensorMap,
    unit: str,
    *,
    scale: float = 2,
    names: Mapping[str, str] | None = None,
    dead: Sequence[str] = (),
) -> AttributeNetwork:
    """Network of a state dict in the authors' layout.

    Parameters
    ----------
    tensors
        The state dict, in the order in which it was saved; names may begin with ``module.``.
    unit, scale
        Architecture, see `features.attributes.build`.
    names
        Their name, or the beginning of several up to a dot, -> ours. None to match by order and shape.
    dead
        Names, or beginnings, of the layers to drop; used with `names` only.

    Returns
    -------
    AttributeNetwork
        12 action units and 8 expressions, in evaluation mode.

    Raises
    ------
    ValueError
        If a tensor is missing, left over, of another kind or shape, or not finite.
    """
    network = build(unit, scale=scale)
    if not isinstance(network, AttributeNetwork):
        raise TypeError(f"Expected an attribute network, got {type(network).__name__}.")
    plain = strip_parallel_prefix(tensors)
    mapped = _map_by_order(plain, network) if names is None else _map_by_names(plain, network, names, dead)
    state = network.state_dict()
    untracked = {name: torch.zeros_like(value) for name, value in state.items() if name.endswith(_TRACKED)}
    load_tensors(network, untracked | mapped)
    return network.eval()


def _map_by_order(tensors: TensorMap, network: AttributeNetwork) -> dict[str, torch.Tensor]:
    got = [Slot(name, name.rpartition(".")[2], tuple(value.shape)) for name, value in tensors.items()]
    tracked = any(slot.kind == _TRACKED for slot in got)  # PyTorch before 0.4.1 did not save it
    farthest, problem = -1, ""
    for child_order in _CHILD_ORDERS:
        expected = [
            slot for slot in released_slots(network, child_order=child_order) if tracked or slot.kind != _TRACKED
        ]
        place = _first_difference(expected, got)
        if place is None:
            return {
                ours.name: tensors[theirs.name] for ours, theirs in zip(expected, got, strict=True) if not ours.dead
            }
        if place > farthest:
            farthest, problem = place, _describe_difference(expected, got, place)
    raise ValueError(f"{problem} If the layers were built in another order, map their names by a file (--key-map).")


def _first_difference(expected: Sequence[Slot], got: Sequence[Slot]) -> int | None:
    pairs = zip(expected, got, strict=False)
    for place, (ours, theirs) in enumerate(pairs):
        if (ours.kind, ours.shape) != (theirs.kind, theirs.shape):
            return place
    return None if len(expected) == len(got) else min(len(expected), len(got))


def _describe_difference(expected: Sequence[Slot], got: Sequence[Slot], place: int) -> str:
    n_dead = sum(slot.dead for slot in expected)
    counts = (
        f"Expected the {len(expected)} tensors of the authors' layout, {n_dead} of them never applied, got {len(got)}"
    )
    if place >= len(expected):
        return f"{counts}; the first left over is {got[place].name}."
    ours = f"{expected[place].name or 'a layer that is never applied'} ({expected[place].kind} {expected[place].shape})"
    if place >= len(got):
        return f"{counts}; the first missing is {ours}."
    return f"{counts}; tensor {place + 1} should be {ours} but is {got[place].name} {got[place].shape}."


def _map_by_names(
    tensors: TensorMap, network: AttributeNetwork, names: Mapping[str, str], dead: Sequence[str]
) -> dict[str, torch.Tensor]:
    mapped: dict[str, torch.Tensor] = {}
    dropped: list[Slot] = []
    problems: list[str] = []
    for name, value in tensors.items():
        theirs = _longest_beginning(name, [*names, *dead])
        if theirs is None:
            problems.append(f"{name} is not in the map")
        elif theirs in names:
            ours = names[theirs] + name.removeprefix(theirs)
            if ours in mapped:
                problems.append(f"{name} is a second tensor for {ours}")
            mapped[ours] = value
        else:
            dropped.append(Slot("", name.rpartition(".")[2], tuple(value.shape)))
    allowed = Counter(_key(slot) for slot in released_slots(network) if slot.dead and slot.kind != _TRACKED)
    got = Counter(_key(slot) for slot in dropped if slot.kind != _TRACKED)
    for (kind, shape), count in (got - allowed).items():
        problems.append(
            f"{count} x {kind} {shape} would be dropped that is no layer which the released code never applies"
        )
    problems += [f"{count} x {kind} {shape} to drop is missing" for (kind, shape), count in (allowed - got).items()]
    if problems:
        more = f"; and {len(problems) - _N_LISTED} more" if len(problems) > _N_LISTED else ""
        raise ValueError(
            f"Expected a map of every tensor, got these problems: {'; '.join(problems[:_N_LISTED])}{more}."
        )
    return mapped


def _longest_beginning(name: str, beginnings: Sequence[str]) -> str | None:
    fitting = [item for item in beginnings if name == item or name.startswith(f"{item}.")]
    return max(fitting, key=len, default=None)


def _key(slot: Slot) -> tuple[str, tuple[int, ...]]:
    return slot.kind, slot.shape


def _slots_below(prefix: str, state: TensorMap) -> Iterator[Slot]:
    for name, value in state.items():
        if name.startswith(f"{prefix}."):
            yield Slot(name, name.rpartition(".")[2], tuple(value.shape))


def _ordered(prefix: str, state: TensorMap, child_order: Sequence[str]) -> list[Slot]:
    slots = list(_slots_below(prefix, state))
    if not child_order:
        return slots
    # Children that the order does not name stay before the others, as they are.
    return sorted(slots, key=lambda slot: _rank(slot.name.removeprefix(f"{prefix}.").partition(".")[0], child_order))


def _rank(child: str, child_order: Sequence[str]) -> int:
    return child_order.index(child) if child in child_order else -1


def _down_channels(network: AttributeNetwork, i: int) -> int:
    return int(network.state_dict()[f"downs.{i}.activation.weight"].numel())


def _unit_channels(network: AttributeNetwork, i: int) -> int:
    before = network.state_dict()["stem.activation.weight"].numel() if i == 0 else _down_channels(network, i - 1)
    return _down_channels(network, i) - int(before)


def _dead_reinforcement(n_out: int) -> Iterator[Slot]:
    for name, value in Reinforcement(n_out).state_dict().items():
        yield Slot("", name.rpartition(".")[2], tuple(value.shape))
