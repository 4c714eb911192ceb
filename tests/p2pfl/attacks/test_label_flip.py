import numpy as np
import pytest
import torch

from p2pfl.attacks import LabelFlip
from p2pfl.types import Samples


def flipped(attack, labels, classes=10):
    inputs = torch.zeros(len(labels), 1)
    data = Samples(inputs=inputs, labels=torch.tensor(labels), classes=classes)
    return attack.poison(data, np.random.default_rng(0)).labels.tolist()


def test_labels_are_reversed_and_inputs_are_not_touched():
    inputs = torch.arange(8.0).reshape(4, 2)
    data = Samples(inputs=inputs, labels=torch.tensor([0, 3, 9, 4]), classes=10)
    poisoned = LabelFlip().poison(data, np.random.default_rng(0))
    assert poisoned.labels.tolist() == [9, 6, 0, 5]
    assert poisoned.inputs is inputs
    assert poisoned.classes == 10


def test_classes_are_those_of_the_data_set_not_of_the_peer():
    assert flipped(LabelFlip(), [0, 1], classes=3) == [2, 1]
    assert flipped(LabelFlip(mapping="next"), [0, 1], classes=3) == [1, 2]


def test_next_goes_around():
    assert flipped(LabelFlip(mapping="next"), [0, 8, 9]) == [1, 9, 0]


def test_a_pair_moves_one_class_only():
    attack = LabelFlip(mapping="pair", source=5, target=3)
    assert flipped(attack, [5, 3, 4, 5]) == [3, 3, 4, 3]


def test_a_swap_moves_both():
    attack = LabelFlip(mapping="swap", source=5, target=3)
    assert flipped(attack, [5, 3, 4, 5]) == [3, 5, 4, 3]


def test_random_takes_every_other_class_alike_and_never_the_true_one():
    labels = flipped(LabelFlip(mapping="random"), [1] * 3000, classes=4)
    counts = [labels.count(each) for each in range(4)]
    assert counts[1] == 0
    # Ten standard deviations of a binomial(3000, 1/3).
    assert all(abs(counts[each] - 1000) < 10 * (3000 * 2 / 9) ** 0.5 for each in (0, 2, 3))


def test_dynamic_takes_the_least_likely_class_of_the_round():
    inputs = torch.tensor([[1.0, 2, 3], [3, 1, 2], [2, 2, 5]])
    data = Samples(inputs=inputs, labels=torch.tensor([2, 1, 0]), classes=3)
    attack = LabelFlip(mapping="dynamic")
    poisoned = attack.poison(data, np.random.default_rng(0))
    assert poisoned.labels.tolist() == [2, 1, 0]  # nothing is known before the first round
    first = attack.poison_round(poisoned, lambda part: part)
    assert first.labels.tolist() == [0, 1, 0]  # the true one, too, and of equals the smallest
    second = attack.poison_round(poisoned, lambda part: -part)
    assert second.labels.tolist() == [2, 0, 2]
    assert first.inputs is inputs


def test_dynamic_asks_for_a_part_of_the_data_at_a_time():
    asked = []

    def logits(part):
        asked.append(len(part))
        return part

    inputs = torch.eye(3).repeat(150, 1)
    data = Samples(inputs=inputs, labels=torch.zeros(450).long(), classes=3)
    flipped = LabelFlip(mapping="dynamic").poison_round(data, logits)
    assert asked == [200, 200, 50]
    assert flipped.labels.tolist() == [1, 0, 0] * 150


@pytest.mark.parametrize("mapping", ["reverse", "random", "next"])
def test_other_mappings_are_chosen_once(mapping):
    data = Samples(inputs=torch.zeros(3, 1), labels=torch.arange(3), classes=3)
    assert LabelFlip(mapping=mapping).poison_round(data, None) is data


@pytest.mark.parametrize("fields", [
    {"mapping": "pair"},
    {"mapping": "pair", "source": 1},
    {"mapping": "pair", "source": 1, "target": 1},
    {"mapping": "pair", "source": -1, "target": 1},
    {"mapping": "swap", "source": 1},
    {"mapping": "reverse", "source": 1},
    {"mapping": "next", "target": 0},
])  # fmt: skip
def test_classes_that_do_not_fit_the_mapping_are_refused(fields):
    of_two = fields["mapping"] in ("pair", "swap")
    about = f"mapping: {fields['mapping']} needs" if of_two else "belong to mapping: pair or swap"
    with pytest.raises(ValueError, match=f"{about}.*got mapping"):
        LabelFlip(**fields)


def test_a_pair_that_the_data_set_lacks_is_refused():
    with pytest.raises(ValueError, match=r"0 \.\. 3, got source: 1, target: 4"):
        flipped(LabelFlip(mapping="pair", source=1, target=4), [1], classes=4)


def test_it_sends_what_it_trained(adversary_view):
    rows, _ = LabelFlip().craft(adversary_view([1.0]), None, np.random.default_rng(0))
    assert rows.tolist() == [[1.0], [1.0]]
