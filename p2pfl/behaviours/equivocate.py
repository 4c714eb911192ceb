"""Different models to different neighbours in one round.

Source
    M. Pease, R. Shostak, L. Lamport. "Reaching Agreement in the Presence of Faults." Journal of the
    ACM 27(2), 1980: a faulty process may tell each of the others something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from p2pfl.behaviours.base import Neutral, Outgoing, Scene, Told, check_some, chosen

if TYPE_CHECKING:
    from p2pfl.types import Matrix, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivocate(Neutral):
    """The attack to some neighbours, another face to the others: ``{kind: equivocate}``.

    Under a broadcast all would get one message. An attack that crafts for each receiver by itself
    (``dissensus``) needs no behaviour.
    """

    several: ClassVar[bool] = True
    among_peers: ClassVar[bool] = True

    share: float = 0.5
    """Share of its neighbours that get the attack, in [0, 1], drawn once."""
    peers: tuple[int, ...] | None = None
    """Ids of those that get it, in place of a share."""
    others: Literal["trained", "start", "opposite"] = "trained"
    """What the others get: what its own training gave, on its poisoned data if the attack has such;
    the model where it began, which is that of its neighbours; or the attack mirrored at what
    it trained, so that the two halves are pulled apart."""
    kind: Literal["equivocate"] = "equivocate"

    def __post_init__(self) -> None:
        check_some(self.share, self.peers)

    def sends(self, outgoing: Sequence[Outgoing], scene: Scene) -> Told:
        """As they are: ``rows`` has made them differ."""
        attacked = chosen("equivocate", scene, self.share, self.peers)
        to = [each.destination for each in outgoing if each.destination in attacked]
        return outgoing, {"attacked": to, "others": self.others}

    def rows(self, crafted: "Matrix", honest: "Vector", start: "Vector", scene: Scene) -> "Matrix":
        """Another row for those that do not get the attack."""
        attacked = chosen("equivocate", scene, self.share, self.peers)
        rows = crafted.clone()
        for k, target in enumerate(scene.targets):
            if target not in attacked:
                if self.others == "opposite":
                    rows[k] = 2 * honest - crafted[k]
                else:
                    rows[k] = honest if self.others == "trained" else start
        return rows
