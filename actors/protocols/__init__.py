"""What a peer does over time, as state machines: events in, effects out."""

from typing import TypeAlias

from actors.protocols.gossip import Gossip
from actors.protocols.pairwise import Pairwise
from actors.protocols.rounds import Rounds

PROTOCOLS = (Rounds, Gossip, Pairwise)
AnyProtocol: TypeAlias = Rounds | Gossip | Pairwise
