"""What a field's annotation admits in a scenario: variants, several of them, or plain values."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import core_schema

from scenarios.variants import Family, find, kind_of, kinds


@dataclass(frozen=True, slots=True)
class Variants:
    """One of these dataclasses."""

    classes: tuple[type, ...]
    optional: bool
    """Whether null may stand there as well."""
    family: Family | None
    """Set where a user's own may stand there too."""

    def kinds(self) -> Mapping[str, type]:
        """Those that have a kind, by it."""
        return kinds(self.classes)

    def without_kind(self) -> type | None:
        """What a mapping without ``kind`` is: the only one, or the only one that has no kind."""
        plain = [cls for cls in self.classes if kind_of(cls) is None]
        return next((some[0] for some in (self.classes, plain) if len(some) == 1), None)


@dataclass(frozen=True, slots=True)
class Many:
    """A list or a mapping of variants."""

    container: Literal["list", "mapping"]
    inner: Any
    """The annotation of each."""
    optional: bool


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """One variant, or a list of something else: as a tree is a list or not, it is the one or other.

    Both are annotations.
    """

    one: Any
    many: Any


@dataclass(frozen=True, slots=True)
class OneOrPlain:
    """One variant, or a plain value: as a tree is a mapping or not. Both are annotations."""

    one: Any
    plain: Any


@dataclass(frozen=True, slots=True)
class Plain:
    """Numbers, text, and lists and mappings of them."""

    adapter: TypeAdapter[Any]


Shape: TypeAlias = Variants | Many | OneOrMany | OneOrPlain | Plain


@dataclass(frozen=True, slots=True)
class OneOf:
    """In ``Annotated[str, OneOf(names)]``: text that is one of these names."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, *_: object) -> core_schema.CoreSchema:
        """For pydantic."""
        return core_schema.literal_schema(list(self.names))


@cache
def shape(annotation: Any, families: tuple[Family, ...]) -> Shape:
    """Classify an annotation."""
    parts = _parts(annotation)
    some = [part for part in parts if part is not NoneType]
    optional = len(some) < len(parts)
    classes = [cls for part in some for cls in _classes(part, families)]
    if classes and all(_classes(part, families) for part in some):
        family = find(families, tuple(classes))
        return Variants(tuple(classes), optional, family if family and family.open else None)
    if len(some) == 1:
        origin, arguments = get_origin(some[0]), get_args(some[0])
        if origin is tuple and arguments[1:] == (...,) and _holds(arguments[0], families):
            return Many("list", arguments[0], optional)
        if origin is Mapping and _holds(arguments[1], families):
            return Many("mapping", arguments[1], optional)
    lists = [part for part in some if get_origin(part) is tuple]
    if classes and len(lists) == 1 and isinstance(shape(lists[0], families), Many):
        one: Any = Union[tuple(part for part in parts if part is not lists[0])]  # noqa: UP007
        if isinstance(shape(one, families), Variants):
            return OneOrMany(one, lists[0])
    if classes:
        one = Union[tuple(part for part in some if _classes(part, families))]  # noqa: UP007
        rest: Any = Union[tuple(part for part in parts if not _classes(part, families))]  # noqa: UP007
        return OneOrPlain(one, rest)
    return Plain(_adapter(annotation))


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The members of a union."""
    if get_origin(annotation) is Annotated and len(_parts(get_args(annotation)[0])) > 1:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(leaf for part in get_args(annotation) for leaf in _parts(part))
    return (annotation,)


def _classes(part: Any, families: tuple[Family, ...]) -> tuple[type, ...]:
    """The dataclasses that a member of a union stands for."""
    base = get_origin(part) or part
    for family in families:
        if base is family.protocol:
            return family.variants
    return (part,) if isinstance(part, type) and is_dataclass(part) else ()


def _holds(annotation: Any, families: tuple[Family, ...]) -> bool:
    return not isinstance(shape(annotation, families), Plain)


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    """The reader of plain values. Numbers must be finite: NaN passes every ``x <= 0``."""
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


@cache
def annotations(cls: type) -> dict[str, Any]:
    """The resolved annotations of the fields that can be set, in their order."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in settable(cls)}


def settable(cls: type) -> tuple[Field[Any], ...]:
    """The fields of a dataclass that can be set."""
    return tuple(field for field in fields(cls) if field.init)


def required(field: Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def default(field: Field[Any]) -> Any:
    """The default of a field that has one."""
    return field.default if field.default_factory is MISSING else field.default_factory()
