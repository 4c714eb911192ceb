"""What an adversary is shown that goes its own pace: of each other peer, the newest."""

from dataclasses import dataclass, field

from actors.protocols.events import Parcel


@dataclass(slots=True)
class Sight:
    """The newest that its knowledge has shown it. It waits for nothing: rounds are not common."""

    shown: dict[int, Parcel] = field(default_factory=dict)
    """By peer, with the peer's own round."""

    def show(self, parcel: Parcel) -> None:
        """Something newer of a peer."""
        self.shown[parcel.sender] = parcel

    def with_own(self, own: Parcel) -> tuple[Parcel, ...]:
        """All that it may look at, its own among it, ascending by peer."""
        seen = {**self.shown, own.sender: own}
        return tuple(seen[peer] for peer in sorted(seen))
