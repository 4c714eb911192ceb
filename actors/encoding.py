"""State as JSON and arrays, and back again. Decoding calls nothing of what it makes.

In the JSON a number, a text, true, false and null stand for themselves, and everything else is a
list that begins with what it is::

    ["tuple", 1, 2]    ["dict", [key, value], ...]    ["array", 3]    ["handle", 0]
    ["record", "p2pfl.attacks.mimic:MimicState", 4, ["tensor", 5, "cpu"], 1]

A *record* is a dataclass or a named tuple, known by its name. It is made field by field: no
constructor and no ``__post_init__`` runs, and no module is imported for it. What is known are the
records of this project's packages, and of others that who makes the codec names.

Arrays, tensors and handles that occur twice are stored once, and are one object again when they are
decoded. A view becomes an array of its own, in the order of its memory if that is C or Fortran.
A set comes back equal, not in the same order of iteration, which nothing may rely on.
"""

import json
import sys
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from p2pfl.errors import SnapshotError

OURS = frozenset({"actors", "graphs", "p2pfl", "scenarios"})
"""The packages whose records are known."""

_COLLECTIONS: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_MADE_OF: dict[str, Callable[[list[Any]], Any]] = {
    name: kind for kind, name in _COLLECTIONS.items()
}
_PLAIN = frozenset({type(None), bool, int, float, str})
_BITS: dict[str, Callable[[int], Any]] = {
    "MT19937": np.random.MT19937,
    "PCG64": np.random.PCG64,
    "PCG64DXSM": np.random.PCG64DXSM,
    "Philox": np.random.Philox,
    "SFC64": np.random.SFC64,
}


class Encoded(NamedTuple):
    """What was encoded. The arrays are those of the original, not copies."""

    tree: str
    """JSON."""
    arrays: tuple[npt.NDArray[Any], ...]


class Codec:
    """Encodes and decodes, with the records that it knows."""

    def __init__(self, packages: Collection[str] = (), handle: type | None = None) -> None:
        """Make a codec.

        Args:
            packages: Whose records are known beside this project's: names of modules.
            handle: The type of handles: each is stored as a number, whatever it stands for.
        """
        self._packages = OURS.union(packages)
        self._handle = handle
        self._records: dict[str, type] = {}

    def encode(self, value: object) -> tuple[Encoded, list[Any]]:
        """The value, and the handles in it: the k-th is stored as number k.

        Raises:
            SnapshotError: If something in it is of a type that cannot be stored.
        """
        writer = _Writer(self._handle, self._name)
        tree = json.dumps(writer.tree(value), separators=(",", ":"))
        return Encoded(tree, tuple(writer.arrays)), writer.handles

    def decode(self, encoded: Encoded, handles: Sequence[Any] = ()) -> Any:
        """What was encoded, with handles put in place of those that were in it.

        Raises:
            SnapshotError: If it names what is not known here.
        """
        reader = _Reader(encoded.arrays, handles, self._record)
        try:
            return reader.value(json.loads(encoded.tree))
        except (TypeError, ValueError, LookupError) as error:
            raise SnapshotError(f"came what no state is encoded as ({error})") from error

    def _name(self, record: type) -> str:
        """Its name, if it is the record that is found by that name."""
        name = f"{record.__module__}:{record.__qualname__}"
        if self._records.get(name) is not record and self._record(name) is not record:
            raise SnapshotError(f"{name} is not the record of that name")
        return name

    def _record(self, name: str) -> type:
        if name not in self._records:
            module, _, kind = name.partition(":")
            found: Any = vars(sys.modules[module]).get(kind) if module in sys.modules else None
            if module.partition(".")[0] not in self._packages or not _is_record(found):
                raise SnapshotError(f"{name} is no dataclass or named tuple that is known here")
            self._records[name] = found
        return self._records[name]


class _Writer:
    """Builds one tree, and gathers what stands beside it."""

    def __init__(self, handle: type | None, name: Callable[[type], str]) -> None:
        self.arrays: list[npt.NDArray[Any]] = []
        self.handles: list[Any] = []
        self._handle = handle
        self._name = name
        self._places: dict[Hashable, int] = {}
        # By identity, so what is in there must live on: an array may have been made for this only.
        self._kept: list[object] = []

    def tree(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if self._handle is not None and isinstance(value, self._handle):
            return ["handle", self._place_of_handle(value)]
        if kind in _COLLECTIONS:
            return [_COLLECTIONS[kind], *map(self.tree, value)]
        if kind is dict:
            return ["dict", *([self.tree(k), self.tree(v)] for k, v in value.items())]
        if kind is np.ndarray:
            return ["array", self._place(value, value)]
        if kind is torch.Tensor:
            return ["tensor", self._place(value, _as_array(value)), value.device.type]
        if isinstance(value, np.generic):
            return ["scalar", self._place(value, np.asarray(value))]
        if kind is deque:
            return ["deque", value.maxlen, *map(self.tree, value)]
        if kind is np.random.Generator:
            state = value.bit_generator.state
            return ["generator", state["bit_generator"], self.tree(state)]
        if _is_record(kind):
            parts = value if issubclass(kind, tuple) else _values(value)
            return ["record", self._name(kind), *map(self.tree, parts)]
        raise SnapshotError(
            f"came a {kind.__module__}.{kind.__qualname__}; allowed: numbers, texts, lists, "
            "tuples, dicts, sets, deques, arrays, tensors, numpy's generators, dataclasses and "
            "named tuples"
        )

    def _place(self, value: object, array: npt.NDArray[Any]) -> int:
        if array.dtype.hasobject:
            raise SnapshotError(f"came an array of {array.dtype}; allowed: numbers and texts")
        if id(value) not in self._places:
            self._places[id(value)] = len(self.arrays)
            self._kept.append(value)
            self.arrays.append(array)
        return self._places[id(value)]

    def _place_of_handle(self, handle: Any) -> int:
        # Two objects may be one handle, as with Ray's references, if they are equal.
        place = self._places.setdefault(("handle", handle), len(self.handles))
        if place == len(self.handles):
            self.handles.append(handle)
        return place


class _Reader:
    """Makes the values of one tree. Copies arrays: what it is given may be read-only."""

    def __init__(
        self,
        arrays: Sequence[npt.NDArray[Any]],
        handles: Sequence[Any],
        record: Callable[[str], type],
    ) -> None:
        self._arrays = arrays
        self._handles = handles
        self._record = record
        self._made: dict[int, Any] = {}

    def value(self, tree: Any) -> Any:
        if not isinstance(tree, list):
            return tree
        what, *rest = tree
        if what in _MADE_OF:
            return _MADE_OF[what](list(map(self.value, rest)))
        if what == "dict":
            return {self.value(key): self.value(value) for key, value in rest}
        if what == "record":
            return _made(self._record(rest[0]), list(map(self.value, rest[1:])))
        if what == "handle":
            return self._handles[rest[0]]
        if what == "array":
            return self._once(rest[0], lambda array: array)
        if what == "tensor":
            return self._once(rest[0], lambda array: torch.from_numpy(array).to(rest[1]))
        if what == "scalar":
            return self._arrays[rest[0]][()]
        if what == "deque":
            return deque(map(self.value, rest[1:]), rest[0])
        if what == "generator" and rest[0] in _BITS:
            bits = _BITS[rest[0]](0)
            bits.state = self.value(rest[1])
            return np.random.Generator(bits)
        raise SnapshotError(f"came {what!r}, which no state is made of")

    def _once(self, place: int, make: Callable[[npt.NDArray[Any]], Any]) -> Any:
        if place not in self._made:
            self._made[place] = make(self._arrays[place].copy(order="K"))
        return self._made[place]


def _is_record(kind: Any) -> bool:
    if not isinstance(kind, type):
        return False
    return is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def _as_array(tensor: torch.Tensor) -> npt.NDArray[Any]:
    if tensor.requires_grad:
        raise SnapshotError("came a tensor that requires a gradient; allowed: one that does not")
    try:
        array: npt.NDArray[Any] = tensor.cpu().numpy()
    except TypeError as error:
        raise SnapshotError(
            f"came a tensor of {tensor.dtype}, which numpy does not know"
        ) from error
    return array


def _values(record: Any) -> list[Any]:
    return [getattr(record, field.name) for field in fields(record)]


def _made(kind: Any, values: list[Any]) -> Any:
    names = kind._fields if issubclass(kind, tuple) else [field.name for field in fields(kind)]
    if len(names) != len(values):
        came = f"{len(values)} fields of {kind.__qualname__}"
        raise SnapshotError(f"came {came}; it has {len(names)} here: {', '.join(names)}")
    if issubclass(kind, tuple):
        return tuple.__new__(kind, values)
    made = object.__new__(kind)
    for name, value in zip(names, values, strict=True):
        object.__setattr__(made, name, value)
    return made
