"""Which variants a scenario can name, and the one loader of users' own.

A family is the tuple that its package exports. ``{kind: krum, f: 1}`` names one of them, and
``{use: "my_module:MyDefense", ...}`` a frozen dataclass in ``my_module.py`` beside the scenario.
"""

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from inspect import isclass
from pathlib import Path
from types import ModuleType

from p2pfl.errors import ScenarioError


@dataclass(frozen=True, slots=True, eq=False)  # equal only to itself: quick to look up by
class Family:
    """The variants that may stand in one place of a scenario."""

    name: str
    """As ``p2pfl list`` calls it, in the plural."""
    variants: tuple[type, ...]
    protocol: type | None = None
    """Their interface, where there is one: as a field's annotation it means the whole family."""
    open: bool = True
    """Whether ``use`` is accepted."""

    def kinds(self) -> Mapping[str, type]:
        """The variants by the name that a scenario uses."""
        return kinds(self.variants)

    def lacks(self, own: type) -> list[str]:
        """The members of the interface that a user's own class has not got.

        Without a protocol, the interface is what all variants have in common.
        """
        wanted = _members(self.protocol) if self.protocol else _common(self.variants)
        return sorted(wanted - {*dir(own), *(field.name for field in fields(own))})


@cache
def kind_of(variant: type) -> str | None:
    """The name of a variant: the default of its field ``kind``. None for plain settings."""
    if is_dataclass(variant):
        for field in fields(variant):
            if field.name == "kind" and isinstance(field.default, str):
                return field.default
    return None


@cache
def kinds(variants: tuple[type, ...]) -> Mapping[str, type]:
    """Variants by kind, in their order. Plain settings have none and are left out."""
    return {kind: v for v in variants if (kind := kind_of(v)) is not None}


def reference_to(variant: type) -> str:
    """The ``use`` that names a user's own variant."""
    return f"{variant.__module__}:{variant.__qualname__}"


def name_of(variant: object) -> str:
    """What a report calls a variant: its kind, or the reference of a user's own."""
    cls: type = type(variant)
    return kind_of(cls) or reference_to(cls)


def load_use(reference: str, folder: Path) -> type:
    """Load a user's own variant. A driver and its workers may each call this.

    The module is imported under its own name, and its folder goes to the end of ``sys.path``: so
    instances can be pickled, and a process that has the folder on its path can unpickle them.

    Args:
        reference: ``"my_module:MyDefense"``.
        folder: Where ``my_module.py`` lies.

    Raises:
        ScenarioError: If the reference cannot be read, the module cannot be found or imported, or
            the class is not a frozen dataclass.
    """
    name, _, attribute = reference.partition(":")
    if not (name.isidentifier() and attribute.isidentifier()):
        raise ScenarioError(f"came {reference!r}; allowed: a name such as 'my_module:MyDefense'")
    module = _module(name, folder.resolve() / f"{name}.py")
    found = vars(module).get(attribute)
    if not isclass(found):
        own = [k for k, v in vars(module).items() if isclass(v) and v.__module__ == name]
        there = f"it has: {', '.join(own)}" if own else "it defines no class"
        raise ScenarioError(f"{name}.py has no class {attribute}; {there}")
    if not (is_dataclass(found) and found.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise ScenarioError(f"{reference} must be a @dataclass(frozen=True)")
    return found


_LOADED: dict[str, ModuleType] = {}
"""What :func:`load_use` has imported. Another folder's module of the same name replaces it."""
_FOLDERS: set[str] = set()
"""Scenarios' folders on ``sys.path``."""


def _module(name: str, path: Path) -> ModuleType:
    """The module of this name from this file, and from no other."""
    if not path.is_file():
        raise ScenarioError(f"there is no {path.name} beside the scenario, in {path.parent}")
    present = sys.modules.get(name)
    if present is not None and _file(present.__file__) == path:
        return present
    if (owner := _owner(name, path)) is not None:
        raise ScenarioError(f"the name {name!r} is that of {owner}: rename {path.name}")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:  # for what the module itself imports
        sys.path.append(str(path.parent))
        _FOLDERS.add(str(path.parent))
    sys.modules[name] = _LOADED[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name], _LOADED[name]
        came = f"{type(error).__name__}: {error}"
        raise ScenarioError(f"{path.name} cannot be imported: {came}") from error
    return module


def _owner(name: str, path: Path) -> str | None:
    """Which other module has this name, be it imported or not; None if it is ours to take."""
    if name in sys.stdlib_module_names or name == "__main__":
        return "a module of Python itself"
    present = sys.modules.get(name)
    if present is not None:
        return None if _LOADED.get(name) is present else f"the module {present.__file__}"
    spec = importlib.util.find_spec(name)
    if spec is None or (origin := _file(spec.origin)) is None:
        return None
    return None if str(origin.parent) in {str(path.parent), *_FOLDERS} else f"the module {origin}"


def _file(name: str | None) -> Path | None:
    return None if name is None else Path(name).resolve()


def _members(protocol: type) -> set[str]:
    """The public names that a protocol asks for, and ``__call__``."""
    names = {*vars(protocol), *getattr(protocol, "__annotations__", {})}
    return {n for n in names if n == "__call__" or not n.startswith("_")}


def _common(variants: tuple[type, ...]) -> set[str]:
    """The public members that all have, fields apart."""
    each = [{n for n in dir(v) if not n.startswith("_")} for v in variants]
    keys = {field.name for v in variants for field in fields(v)}
    return set.intersection(*each) - keys


def find(families: tuple[Family, ...], variants: tuple[type, ...]) -> Family | None:
    """The family that has all these variants."""
    return next((f for f in families if set(variants) <= set(f.variants)), None)
