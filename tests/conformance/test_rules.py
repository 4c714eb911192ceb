"""Every rule against what it promises. A rule without settings here fails the first test."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pfl.errors import TooFewNeighbours
from p2pfl.rules import (
    FOR_UPDATES,
    RULES,
    Bucketing,
    Bulyan,
    CenteredClip,
    ClipMean,
    Clustering,
    Dnc,
    Faba,
    Flame,
    GeometricMedian,
    Krum,
    Mda,
    MeaMed,
    Mean,
    Median,
    MultiKrum,
    NearestNeighbourMixing,
    NormClipNoise,
    Rlr,
    SignMajority,
    TrimmedMean,
)

SETTINGS = {
    Mean: (Mean(),),
    Median: (Median(),),
    TrimmedMean: (TrimmedMean(f=0), TrimmedMean(f=2)),
    Krum: (Krum(f=1), Krum(f=3)),
    MultiKrum: (MultiKrum(f=1), MultiKrum(f=2, m=3)),
    GeometricMedian: (GeometricMedian(), GeometricMedian(start="mean", iterations=4, nu=1e-5)),
    MeaMed: (MeaMed(f=0), MeaMed(f=3)),
    Bulyan: (Bulyan(f=0), Bulyan(f=1)),
    Mda: (Mda(f=1), Mda(f=4)),
    CenteredClip: (
        CenteredClip(tau=1.0),
        CenteredClip(tau=0.5, iterations=3),
        CenteredClip(tau=1e40, start="zero"),
    ),
    ClipMean: (ClipMean(),),
    Faba: (Faba(f=1), Faba(f=4)),
    Dnc: (Dnc(f=2), Dnc(f=2, c=0.5, iterations=3, coordinates=3)),
    Clustering: (Clustering(), Clustering(linkage="single")),
    Flame: (Flame(noise=0.0),),
    NormClipNoise: (NormClipNoise(bound=1e40), NormClipNoise(bound=1e40, clip="mean")),
    SignMajority: (SignMajority(step=0.01),),
    Rlr: (Rlr(theta=4),),
    NearestNeighbourMixing: (
        NearestNeighbourMixing(f=1, rule=Krum(f=1)),
        NearestNeighbourMixing(f=3, rule=TrimmedMean(f=3)),
        NearestNeighbourMixing(f=2, rule=Bucketing(s=2, rule=Median())),
    ),
    Bucketing: (Bucketing(s=2, rule=Median()), Bucketing(s=1, rule=TrimmedMean(f=2))),
}
EVERY = [rule for variant in RULES for rule in SETTINGS.get(variant, ())]
every_rule = pytest.mark.parametrize("rule", EVERY, ids=str)


def measures_from_zero(rule):
    """Whether it gives another result for rows moved alike: by design, or by other draws."""
    some = (ClipMean, Clustering, Flame, NormClipNoise, Bucketing, *FOR_UPDATES)
    inner = getattr(rule, "rule", None)
    return isinstance(rule, some) or (inner is not None and measures_from_zero(inner))


INF, NAN = float("inf"), float("nan")
NOT_FINITE = {"nan": [NAN], "+inf": [INF], "-inf": [-INF], "mixed": [NAN, INF, -INF]}
N = 9
"""Rows at which all settings above have their guarantee."""


def random_rows(n, d=6, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_every_rule_is_tested():
    assert set(SETTINGS) == set(RULES)


def test_these_rules_have_a_constant():
    known = {type(rule) for rule in EVERY if rule.kappa(N, 0) is not None}
    mixing = NearestNeighbourMixing
    assert known == {Mean, Median, TrimmedMean, Krum, MultiKrum, MeaMed, Mda, mixing}


@every_rule
@pytest.mark.parametrize("n", range(N + 1))
def test_it_is_computed_exactly_where_it_says_so(rule, n):
    rows = random_rows(n)
    missing = rule.computable(n)
    for call in (rule, rule.traced):
        if missing is None:
            call(rows)
        else:
            with pytest.raises(TooFewNeighbours) as raised:
                call(rows)
            assert str(raised.value) == missing
            assert f"n={n}" in missing


@every_rule
def test_a_guarantee_needs_at_least_what_the_computation_needs(rule):
    assert rule.needs(N) is None
    for n in range(N):
        assert rule.computable(n) is None or rule.needs(n) is not None


@every_rule
@pytest.mark.parametrize("d", [1, 6, 5000])
def test_shapes_and_dtypes(rule, d):
    out, shares = rule.traced(random_rows(N, d))
    assert (out.shape, out.dtype) == ((d,), torch.float32)
    assert (shares.shape, shares.dtype) == ((N,), torch.float32)


@every_rule
def test_it_is_pure(rule):
    rows = random_rows(N)
    before = rows.clone()
    out, again = rule(rows), rule(rows)
    assert torch.equal(out, again)
    out.fill_(7)
    assert torch.equal(rows, before)


@every_rule
def test_columns_of_a_larger_matrix_give_the_same_bits(rule):
    wide = random_rows(N, 40)
    part = wide[:, 3:33:2]
    assert torch.equal(rule(part), rule(part.contiguous()))


@every_rule
def test_tracing_changes_no_bit_and_shares_sum_to_one(rule):
    for n in range(N + 1):
        if rule.computable(n) is None:
            rows = random_rows(n, 500)
            out, shares = rule.traced(rows)
            assert torch.equal(out, rule(rows))
            assert (shares >= 0).all()
            assert shares.sum().item() == pytest.approx(1, abs=1e-5)


@every_rule
@given(order=st.permutations(range(N)), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_row_order_matters_as_little_as_promised(rule, order, seed):
    rows = random_rows(N, seed=seed)  # no two scores tie
    (out, shares), (shuffled, moved) = rule.traced(rows), rule.traced(rows[order])
    if rule.permutation == "bit":
        assert torch.equal(out, shuffled)
    torch.testing.assert_close(out, shuffled)
    torch.testing.assert_close(shares[order], moved)


@every_rule
@pytest.mark.parametrize("values", NOT_FINITE.values(), ids=NOT_FINITE)
def test_it_bears_as_many_non_finite_rows_as_it_says(rule, values):
    for n in range(N + 1):
        if rule.computable(n) is None:
            assert 0 <= rule.bears(n) < n
            for count in range(rule.bears(n) + 1):
                for last in (False, True):
                    rows = random_rows(n)
                    hit = slice(n - count, n) if last else slice(0, count)
                    rows[hit, 2] = torch.tensor((values * n)[:count])
                    assert rule(rows).isfinite().all()


@every_rule
def test_it_does_not_bear_one_more(rule):
    for n in range(N + 1):
        if rule.computable(n) is None:
            results = []
            for seed in range(20):  # in some draw they fall into as many buckets
                rows = random_rows(n, seed=seed)
                rows[: rule.bears(n) + 1] = NAN
                results.append(rule(rows).isfinite().all())
            assert not all(results)


@every_rule
def test_values_near_the_largest_float_do_not_overflow(rule):
    rows = random_rows(N).sign() * 3e38
    out = rule(rows)
    assert (out.abs() <= rows.abs().max()).all()
    equal = rule(torch.full((N, 3), 3e38))
    if isinstance(rule, Mean | CenteredClip):  # these add in float32: as fast as can be
        torch.testing.assert_close(equal, torch.full((3,), 3e38), rtol=2**-22, atol=0)
    elif not isinstance(rule, SignMajority):
        assert torch.equal(equal, torch.full((3,), 3e38))


@pytest.mark.parametrize("rule", [r for r in EVERY if not measures_from_zero(r)], ids=str)
def test_the_result_moves_with_its_rows(rule):
    rows = random_rows(N)
    torch.testing.assert_close(rule(rows + 100), rule(rows) + 100, atol=1e-4, rtol=0)


@every_rule
def test_kappa_is_stated_only_where_the_guarantee_holds(rule):
    for n in range(N + 1):
        constants = [rule.kappa(n, f) for f in range(n + 1)]
        if rule.needs(n) is not None:
            assert set(constants) == {None}
        stated = [c for c in constants if c is not None]
        assert constants == stated + [None] * (len(constants) - len(stated))
        assert stated == sorted(stated)


HOSTILE = st.sampled_from([0.0, 1.0, -3.0, 50.0, -1e4, 1e10, 3e38])


@pytest.mark.parametrize("rule", [r for r in EVERY if r.kappa(N, 0) is not None], ids=str)
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_result_is_within_kappa_of_every_possible_benign_mean(rule, data):
    n = data.draw(st.sampled_from([n for n in range(1, N + 1) if rule.kappa(n, 0) is not None]))
    f = data.draw(st.sampled_from([f for f in range(n) if rule.kappa(n, f) is not None]))
    honest = random_rows(n, 3, seed=data.draw(st.integers(0, 99)))
    rows = honest.clone()
    for i in range(f):
        # A little off an honest row, or far away.
        rows[i] = honest[data.draw(st.integers(0, n - 1))] + data.draw(HOSTILE)
    out = rule(rows).double()
    for benign in combinations(range(n), n - f):
        kept = rows[list(benign)].double()
        mean = kept.mean(dim=0)
        spread = (kept - mean).square().sum(dim=1).mean()
        rounding = 1e-6 * kept.abs().max()
        bound = (rule.kappa(n, f) * spread).sqrt() + rounding
        assert (out - mean).norm() <= bound
