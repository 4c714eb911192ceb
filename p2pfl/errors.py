"""Every error that this project raises on purpose.

::

    P2PFLError
    ├── ScenarioError (ValueError)     the input is wrong: exit code 2
    │   ├── DataError                  a data set is missing, damaged or does not fit
    │   ├── TopologyError              a graph or a placement that cannot be
    │   └── ResourceError              the machine is too small, and what would fit
    ├── TooFewNeighbours (ValueError)  a rule has too few rows to be computed
    └── RunError (RuntimeError)        the run failed: exit code 1
        ├── PeerLost                   a peer's process is gone
        └── SnapshotError              a state that cannot be stored, or not be read again

A message says what came, what was allowed, and where.
"""


class P2PFLError(Exception):
    """The root: catch this to catch everything that the project raises on purpose."""


class ScenarioError(P2PFLError, ValueError):
    """The input is wrong. The message is all that a user sees."""


class DataError(ScenarioError):
    """A data set is missing, damaged, or does not fit what is asked of it."""


class TopologyError(ScenarioError):
    """A graph or a placement of adversaries that cannot be."""


class ResourceError(ScenarioError):
    """The machine is too small for the run; the message says what would fit."""


class TooFewNeighbours(P2PFLError, ValueError):  # noqa: N818 - the name is the message
    """A rule has too few rows to be computed. The scenario's ``on_shortfall`` decides."""


class RunError(P2PFLError, RuntimeError):
    """The run began and could not go on."""


class PeerLost(RunError):  # noqa: N818 - the name is the message
    """A peer's process is gone."""


class SnapshotError(RunError):
    """A run's state cannot be stored; or what was stored is damaged, or of something else."""
