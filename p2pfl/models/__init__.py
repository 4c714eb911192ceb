"""Architectures by name. ``MODELS`` is the whole registry."""

from p2pfl.models.build import Model, build_model, initial_vector
from p2pfl.models.cnn import Cnn
from p2pfl.models.lenet import LeNet
from p2pfl.models.logistic import Logistic
from p2pfl.models.mlp import Mlp
from p2pfl.models.resnet import ResNet10, ResNet18
from p2pfl.models.spmc_cnn import SpmcCnn
from p2pfl.models.text import Text
from p2pfl.models.vgg9 import Vgg9
from p2pfl.models.warm_start import Warmable, WarmStart, read_start, warm_start_of

MODELS = (Logistic, Mlp, Cnn, LeNet, SpmcCnn, Vgg9, ResNet10, ResNet18, Text)

__all__ = [
    "MODELS",
    "Cnn",
    "LeNet",
    "Logistic",
    "Mlp",
    "Model",
    "ResNet10",
    "ResNet18",
    "SpmcCnn",
    "Text",
    "Vgg9",
    "WarmStart",
    "Warmable",
    "build_model",
    "initial_vector",
    "read_start",
    "warm_start_of",
]
