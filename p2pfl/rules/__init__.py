"""Aggregation rules: pure functions of stacked rows. ``RULES`` is the whole registry."""

from typing import TypeAlias

from p2pfl.rules.bucketing import Bucketing
from p2pfl.rules.bulyan import Bulyan
from p2pfl.rules.centered_clip import CenteredClip
from p2pfl.rules.clip_mean import ClipMean
from p2pfl.rules.clustering import Clustering
from p2pfl.rules.dnc import Dnc
from p2pfl.rules.faba import Faba
from p2pfl.rules.flame import Flame
from p2pfl.rules.geometric_median import GeometricMedian
from p2pfl.rules.krum import Krum
from p2pfl.rules.mda import Mda
from p2pfl.rules.mea_med import MeaMed
from p2pfl.rules.mean import Mean
from p2pfl.rules.median import Median
from p2pfl.rules.multi_krum import MultiKrum
from p2pfl.rules.nearest_neighbour_mixing import NearestNeighbourMixing
from p2pfl.rules.norm_clip_noise import NormClipNoise
from p2pfl.rules.rlr import Rlr
from p2pfl.rules.sign_majority import SignMajority
from p2pfl.rules.trimmed_mean import TrimmedMean
from p2pfl.types import Rule

RULES: tuple[type[Rule], ...] = (
    Mean,
    Median,
    TrimmedMean,
    Krum,
    MultiKrum,
    GeometricMedian,
    MeaMed,
    Bulyan,
    Mda,
    CenteredClip,
    ClipMean,
    Faba,
    Dnc,
    Clustering,
    Flame,
    NormClipNoise,
    SignMajority,
    Rlr,
    NearestNeighbourMixing,
    Bucketing,
)
AnyRule: TypeAlias = (
    Mean
    | Median
    | TrimmedMean
    | Krum
    | MultiKrum
    | GeometricMedian
    | MeaMed
    | Bulyan
    | Mda
    | CenteredClip
    | ClipMean
    | Faba
    | Dnc
    | Clustering
    | Flame
    | NormClipNoise
    | SignMajority
    | Rlr
    | NearestNeighbourMixing
    | Bucketing
)
"""The same as a type, for fields that hold any of them."""

FOR_UPDATES: tuple[type[Rule], ...] = (SignMajority, Rlr)
"""Rules that make no sense for whole models: their result is a direction."""

WEIGHTED = (MultiKrum, GeometricMedian, Rlr)
"""Rules that can weigh rows: ``weighted(rows, weights)``, with at least one weight above 0."""

__all__ = [
    "FOR_UPDATES",
    "RULES",
    "WEIGHTED",
    "AnyRule",
    "Bucketing",
    "Bulyan",
    "CenteredClip",
    "ClipMean",
    "Clustering",
    "Dnc",
    "Faba",
    "Flame",
    "GeometricMedian",
    "Krum",
    "Mda",
    "MeaMed",
    "Mean",
    "Median",
    "MultiKrum",
    "NearestNeighbourMixing",
    "NormClipNoise",
    "Rlr",
    "SignMajority",
    "TrimmedMean",
]
