"""A learner under ``pairwise``: what it holds while it trains and is asked, to the bit."""

import numpy as np
import pytest
import torch

from p2pfl.defenses import GossipAverage, Gpd, LocalOnly
from p2pfl.learner.holder import Workbench
from p2pfl.learner.learner import Learner
from p2pfl.learner.training import Trainer, Training
from p2pfl.models import Logistic, build_model
from p2pfl.types import InputSpec, Samples
from p2pfl.vectors import FlatModel


def learner(peer, defense=None, pace="pairwise"):
    inputs = torch.randn(12, 1, 4, 4, generator=torch.Generator().manual_seed(peer))
    data = Samples(inputs=inputs, labels=torch.arange(12) % 3, classes=3)
    bench = Workbench(
        trainer=Trainer(FlatModel(build_model(Logistic(), (1, 4, 4), 3))),
        test=data,
        inputs=InputSpec(shape=(1, 4, 4), classes=3),
        backdoor=None,
        quick_test=data,
        quick_backdoor=None,
        rounds=None,
        training=Training(batch_size=5),
        seed=1,
        attack_seed=1,
        on_shortfall="keep_own",
        pace=pace,
    )
    start = torch.linspace(-1, 1, bench.trainer.flat.layout.d) * (peer + 1)
    mixing = dict.fromkeys(range(5), 0.5)
    return Learner(peer, bench, data, start, defense or GossipAverage(), mixing)


def now(one):
    return torch.from_numpy(one.model(1).vector)


def exchange(asks, answers, offered):
    """``answers`` is asked, and ``asks`` has its answer at once."""
    answer = answers.offer(1)
    answers.meet(1, (asks.peer,), (1,), [offered])
    asks.meet(1, (answers.peer,), (1,), [answer])


def test_what_training_found_is_no_part_of_the_model_before_the_step():
    one, plain = learner(0), learner(0, pace="gossip")
    start = now(one)
    found, _ = one.train(1)
    assert torch.equal(now(one), start)
    one.step()
    assert np.array_equal(now(one).numpy(), found.vector)
    plain.train(1)
    assert torch.equal(now(one), now(plain))


def test_both_take_half_of_the_other_and_the_step_comes_on_top():
    one, other = learner(0), learner(1)
    a, b = now(one), now(other)
    asked = one.offer(1)
    found, _ = one.train(1)
    exchange(one, other, asked)
    assert torch.equal(now(one), (a + b) / 2)
    assert torch.equal(now(other), (a + b) / 2)
    one.step()
    step = torch.from_numpy(found.vector) - a
    torch.testing.assert_close(now(one), (a + b) / 2 + step)


def test_each_merge_starts_at_the_model_as_it_is_then():
    one, other, third = everybody = [learner(peer) for peer in range(3)]
    a, b, c = map(now, everybody)
    asked = one.offer(1)
    found, _ = one.train(1)
    answer = other.offer(1)
    exchange(third, one, third.offer(1))  # it is asked itself while it waits
    one.step()  # and its training is over before the answer comes
    other.meet(1, (0,), (1,), [asked])
    one.meet(1, (1,), (1,), [answer])
    step = torch.from_numpy(found.vector) - a
    torch.testing.assert_close(now(one), ((a + c) / 2 + step + b) / 2)
    assert torch.equal(now(other), (a + b) / 2)
    assert torch.equal(now(third), (a + c) / 2)


def test_messages_and_views_bear_the_model_and_what_it_was_before_its_last_step():
    class Spy(LocalOnly):
        def merge(self, view, state):
            views.append(view)
            return super().merge(view, state)

    views = []
    one = learner(0, Spy())
    first = now(one)
    for round_ in (1, 2):
        one.train(round_)
        one.step()
    last = now(one)
    one.meet(2, (3,), (7,), [learner(3).offer(7)])
    [view] = views
    assert torch.equal(view.own, last)
    assert not torch.equal(view.start, first)
    torch.testing.assert_close(last - view.start, one._last_step, rtol=0, atol=1e-6)
    assert (view.merge, view.round, view.staleness, view.mixing) == (1, 2, (-5,), (0.5,))


def test_where_messages_stand_for_models_before_a_step_there_is_no_difference():
    one = learner(0, Gpd())
    one.train(1)
    one.step()
    decision = one.meet(1, (3,), (1,), [learner(3, Gpd()).offer(1)])
    assert decision.senders == (3,)
    assert decision.details["inflow"][0] > 0


@pytest.mark.parametrize("pace", ["gossip", "pairwise"])
def test_merges_are_counted(pace):
    class Spy(LocalOnly):
        def merge(self, view, state):
            seen.append(view.merge)
            return super().merge(view, state)

    seen = []
    one = learner(0, Spy(), pace)
    for round_ in (1, 2):
        one.train(round_)
        (one.meet if pace == "pairwise" else one.merge)(round_, (), (), [])
    assert seen == [1, 2]
    assert learner(0, pace="rounds")._merges == 0


def test_its_state_in_mid_round_is_stored():
    one, again = learner(0), learner(0)
    one.train(1)
    one.step()
    one.train(2)
    again.restore(one.state())
    for each in (one, again):
        each.step()
        exchange(each, learner(1), each.offer(2))
    assert torch.equal(now(one), now(again))


def test_concluding_it_goes_back_to_where_its_round_began():
    one = learner(0)
    one.train(1)
    one.step()
    before = now(one)
    one.train(2)
    one.meet(2, (3,), (1,), [learner(3).offer(1)])
    one.conclude()
    assert torch.equal(now(one), before)
