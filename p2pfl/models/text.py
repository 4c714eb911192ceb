"""A classifier of texts: the mean of its words' vectors, then one linear layer.

Source
    A. Joulin, E. Grave, P. Bojanowski, T. Mikolov. "Bag of Tricks for Efficient Text
    Classification." EACL 2017. arXiv:1607.01759 (fastText).

Departs from the paper:
    Single words only (theirs: pairs as well), and a plain softmax.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from p2pfl.models.shapes import at_least, sequence
from p2pfl.models.warm_start import Warmable

# What the data sets of tokens mean by these numbers; a test holds the two together.
_PADDING, _UNKNOWN = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Warmable):
    """Mean of word vectors, then a linear layer: ``{kind: text}``. Takes token numbers."""

    vocabulary: int = 10_000
    """Words that have a vector of their own, and two more, >= 2. A token of this number or above is
    taken for an unknown word; the more frequent a word, the smaller its number."""
    dimension: int = 64
    """Length of a word's vector, >= 1."""
    kind: Literal["text"] = "text"

    def __post_init__(self) -> None:
        at_least(2, vocabulary=self.vocabulary)
        at_least(1, dimension=self.dimension)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """(n, 1, length) token numbers to (n, classes) logits.

        With 20 classes the defaults have 641,300 parameters.

        Raises:
            ScenarioError: If samples are no sequences.
        """
        sequence("text", shape)
        return nn.Sequential(
            _MeanVector(self.vocabulary, self.dimension), nn.Linear(self.dimension, classes)
        )


class _MeanVector(nn.Module):
    """The mean of the words' vectors, without the padding; zero for a text without words.

    Written with an embedding and a product instead of torch's EmbeddingBag, which has no second
    derivative.
    """

    def __init__(self, vocabulary: int, dimension: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vocabulary, dimension)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 1, length) to (n, dimension)."""
        rounded = inputs.squeeze(1).round()
        # An attack may have made anything of them; NaN is no known word either.
        known = (rounded >= 0) & (rounded < self.vectors.num_embeddings)
        tokens = torch.where(known, rounded, _UNKNOWN).long()
        words = (tokens != _PADDING).to(self.vectors.weight.dtype)
        share = words / words.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.bmm(share[:, None], self.vectors(tokens))[:, 0]
