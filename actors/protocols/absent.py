"""A peer that is not there."""

from collections.abc import Sequence

from actors.protocols.events import Effect, Event, Finished, Returned, Started


class AbsentPeer:
    """Ends as soon as the run begins, and has done nothing."""

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
        return (Finished(),) if isinstance(event, Started | Returned) else ()
