"""What adversaries do with their messages and their place, whatever their attack."""

from typing import TypeAlias

from p2pfl.behaviours.base import Outgoing, Scene
from p2pfl.behaviours.equivocate import Equivocate
from p2pfl.behaviours.false_metadata import FalseMetadata
from p2pfl.behaviours.fast_links import FastLinks
from p2pfl.behaviours.late import Late
from p2pfl.behaviours.mobile import Mobile
from p2pfl.behaviours.replay import Replay
from p2pfl.behaviours.rushing import Rushing
from p2pfl.behaviours.selective import Selective
from p2pfl.behaviours.silent import Silent
from p2pfl.behaviours.sybils import Sybils
from p2pfl.behaviours.whitewash import Whitewash

__all__ = ["BEHAVIOURS", "Behaviour", "Outgoing", "Scene"]

Behaviour: TypeAlias = (
    Equivocate
    | Selective
    | Silent
    | Late
    | Rushing
    | Replay
    | FalseMetadata
    | Mobile
    | Sybils
    | Whitewash
    | FastLinks
)
BEHAVIOURS = (
    Equivocate,
    Selective,
    Silent,
    Late,
    Rushing,
    Replay,
    FalseMetadata,
    Mobile,
    Sybils,
    Whitewash,
    FastLinks,
)
