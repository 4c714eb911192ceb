"""What is hostile about an adversary's machine, whatever the protocol: when it attacks, whom it
counts with, and what it does with the messages that it is about to send.

A machine that can be hostile holds one. It asks ``takes`` of every event, calls ``begin`` at the
start of a round, ``send`` in place of its own sends, and ``passed`` over all that it returns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from actors.protocols.events import (
    Effect,
    Envelope,
    Event,
    Finished,
    Handle,
    Note,
    Received,
    Returned,
    Send,
    SetTimer,
    TimerFired,
    Turned,
    Work,
)
from graphs.events import Change
from p2pfl.behaviours import Outgoing, Scene
from p2pfl.learner.conduct import Conduct, Stance

HELD = "held"
"""The tag of the timers of messages that are held back."""


@dataclass(slots=True, kw_only=True)
class Hostility:
    """Plain data, the settings too."""

    me: int
    seed: int = 0
    conduct: Conduct = field(default_factory=Conduct)
    members: tuple[int, ...] = ()
    """Where its coalition is at present, ascending."""
    targets: tuple[int, ...] = ()
    """All to whom it may ever send, ascending."""
    hosts: frozenset[int] = frozenset()
    """Whose training it is shown only while its coalition is there."""
    possessed: bool = True
    """Whether an adversary is here."""
    attacks: bool = True
    """What the last event said of attacks."""
    turns: list[tuple[int, Change]] = field(default_factory=list)
    """What turns in which of its rounds, latest first."""
    opening: tuple[Mapping[str, object], ...] = ()
    """What the record says of it when it begins."""
    stance: Stance = "hidden"
    round: int = 0
    said: tuple[bool, bool] | None = None
    """Of the last round: whether an adversary was here, and whether events let it attack."""
    ordinal: int = 0
    held: dict[int, list[Outgoing]] = field(default_factory=dict)
    """Messages that are held back, by the number of their timer."""
    finished: bool = False
    """Whether it has done all its rounds, and stays for what is held back."""
    sent: dict[int, dict[int, Handle]] = field(default_factory=dict)
    heard: dict[int, dict[int, Handle]] = field(default_factory=dict)

    @property
    def listens(self) -> bool:
        """Whether a behaviour wants to hear the neighbours before it crafts."""
        return any(behaviour.listens for behaviour in self.conduct.behaviours)

    def wait_ns(self, timeout_ns: int) -> int:
        """Longest wait before it crafts, given the protocol's."""
        waits = [behaviour.wait_s for behaviour in self.conduct.behaviours]
        return min([timeout_ns, *(round(1e9 * wait) for wait in waits if wait is not None)])

    @property
    def unseen(self) -> frozenset[int]:
        """Whose training it is not shown at present."""
        return self.hosts.difference(self.members, (self.me,))

    # ------------------------------------------------------------ when

    def begin(self, round_: int) -> list[Effect]:
        """A round begins, and with it a stance. Gives what the record says of a change."""
        self.round = round_
        notes: list[Effect] = []
        before = self.said or (self.possessed, self.attacks)
        while self.turns and self.turns[-1][0] <= round_:
            self.turn(self.turns.pop()[1])
        now = (self.possessed, self.attacks)
        if before[0] != now[0]:
            notes.append(Note("turned", round_, {"role": "adversary" if now[0] else "benign"}))
        if now[0] and before[1] != now[1]:
            notes.append(Note("attack_start" if now[1] else "attack_stop", round_))
        if self.said is None:
            notes += [Note("behaviour", round_, told) for told in self.opening]
        self.said = now
        if not self.possessed:
            self.stance = "benign"
        else:
            active = self.attacks and self.conduct.active(round_)
            self.stance = "hostile" if active else "hidden"
        return notes

    def turn(self, change: Change) -> None:
        """Others are hostile from now on, or attack; of itself it counts with the next round."""
        if change.what == "move_adversary":
            leaves, comes = change.peers
            if leaves >= 0 and leaves not in self.members:
                return  # another coalition's
            self.members = tuple(sorted({*self.members, comes} - {leaves, -1}))
            if -1 not in change.peers and self.me in change.peers:
                self.possessed = self.me == comes
        elif not change.peers or self.me in change.peers:
            self.attacks = change.what == "attack_start"

    # ------------------------------------------------------------ what

    def takes(self, event: Event) -> list[Effect] | None:
        """What it makes of an event; None: it is for the machine, whatever is remembered of it."""
        if isinstance(event, Turned):
            self.turn(event.change)
            return []
        if isinstance(event, TimerFired) and event.tag[0] == HELD:
            return self._release(event.tag[1])
        if isinstance(event, Received):
            self._hear(event.envelope)
        elif isinstance(event, Returned) and event.anew:  # and no timer of before will fire
            self.held.clear()
            self.sent.clear()
            self.heard.clear()
        return None

    def _hear(self, envelope: Envelope) -> None:
        depth = self._depth
        if depth and envelope.round <= self.round + depth:
            self.heard.setdefault(envelope.round, {})[envelope.source] = envelope.handle
            _forget_before(self.heard, self.round - depth)

    def _release(self, number: int) -> list[Effect]:
        """What was held back until now."""
        effects = _sends(self.held.pop(number, ()))
        if self.finished and not self.held:
            effects.append(Finished())
        return effects

    def sends_of(self, sends: Sequence[Send]) -> list[Effect]:
        """The machine's own sends; in a round as a benign peer as they are."""
        if self.stance == "benign":
            return list(sends)
        return self.send(
            [Outgoing(s.destination, s.round, s.handle, answers=s.answers) for s in sends]
        )

    def send(self, outgoing: Sequence[Outgoing]) -> list[Effect]:
        """Send these, or what the behaviours make of them."""
        effects: list[Effect] = []
        if self._depth:
            crafted = {each.destination: each.message for each in outgoing}
            self.sent.setdefault(self.round, {}).update(crafted)
            _forget_before(self.sent, self.round - self._depth)
        scene = Scene(self.me, self.round, self.seed, self.targets, self.sent, self.heard)
        for behaviour in self.conduct.behaviours if self.stance == "hostile" else ():
            outgoing, told = behaviour.sends(outgoing, scene)
            if told is not None:
                effects.append(Note("behaviour", self.round, {"kind": behaviour.kind, **told}))
        waits = sorted({each.after_ns for each in outgoing})
        for after_ns in waits:
            together = [each for each in outgoing if each.after_ns == after_ns]
            if after_ns > 0:
                self.ordinal += 1
                self.held[self.ordinal] = together
                effects.append(SetTimer(after_ns, (HELD, self.ordinal)))
            else:
                effects += _sends(together)
        return effects

    def crafts(self, heard: Iterable[int]) -> list[Effect]:
        """It crafts, and may look at what these neighbours sent. Gives what the record says."""
        rushing = [behaviour.kind for behaviour in self.conduct.behaviours if behaviour.listens]
        if self.stance != "hostile":
            return []
        return [
            Note("behaviour", self.round, {"kind": kind, "heard": sorted(heard)})
            for kind in rushing
        ]

    def passed(self, effects: Sequence[Effect]) -> list[Effect]:
        """The machine's effects: works with its stance, and no end before all is sent."""
        members: tuple[int, ...] = ()
        if (
            self.stance != "benign"
        ):  # it counts itself, though others may think that it is not there
            members = self.members if self.me in self.members else (*self.members, self.me)
        out: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Work):
                out.append(effect._replace(stance=self.stance, members=tuple(sorted(members))))
            elif isinstance(effect, Finished) and self.held:
                self.finished = True
            else:
                out.append(effect)
        return out

    @property
    def _depth(self) -> int:
        return max((behaviour.remembers for behaviour in self.conduct.behaviours), default=0)


def _sends(outgoing: Sequence[Outgoing]) -> list[Effect]:
    return [Send(each.destination, each.round, each.message, each.answers) for each in outgoing]


def _forget_before(past: dict[int, dict[int, Handle]], round_: int) -> None:
    """But for the newest that is older."""
    older = sorted(r for r in past if r < round_)
    for r in older[:-1]:
        del past[r]
