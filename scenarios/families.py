"""All families of variants: what ``kind`` can name, and what ``p2pfl list`` lists."""

from actors.protocols import PROTOCOLS
from graphs.availability import CHURNS
from graphs.drops import DROPS
from graphs.events import EVENTS
from graphs.latencies import LATENCIES
from graphs.placement import PLACEMENTS
from graphs.topologies import TOPOLOGIES
from p2pfl.attacks import ATTACKS
from p2pfl.behaviours import BEHAVIOURS
from p2pfl.data.partitions import PARTITIONS, Partition
from p2pfl.defenses import DEFENSES
from p2pfl.models import MODELS, Model
from p2pfl.rules import RULES
from p2pfl.strategies import STRATEGIES
from p2pfl.strategies.types import Strategy
from p2pfl.types import Attack, Defense, Rule
from scenarios.variants import Family

FAMILIES = (
    Family("attacks", ATTACKS, Attack),
    Family("defenses", DEFENSES, Defense),
    Family("strategies", STRATEGIES, Strategy),
    Family("rules", RULES, Rule),
    Family("models", MODELS, Model),
    Family("topologies", TOPOLOGIES),
    Family("placements", PLACEMENTS),
    Family("partitions", PARTITIONS, Partition),
    Family("protocols", PROTOCOLS, open=False),
    Family("latencies", LATENCIES, open=False),
    Family("drops", DROPS, open=False),
    Family("churns", CHURNS, open=False),
    Family("events", EVENTS, open=False),
    Family("behaviours", BEHAVIOURS, open=False),
)
