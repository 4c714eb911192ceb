"""Which kernels a process uses; of a GPU nothing is needed for that."""

import os

import pytest
import torch

from p2pfl.learner.kernels import choose_kernels


@pytest.fixture(autouse=True)
def _as_before():
    yield
    choose_kernels(deterministic=False)


def test_by_default_torchs_usual_ones_without_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # torch's default
    choose_kernels(deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.benchmark


def test_on_request_those_that_repeat(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    choose_kernels(deterministic=True)
    assert torch.get_deterministic_debug_mode() == 2  # an error where there is none
    assert not torch.backends.cudnn.benchmark
    choose_kernels(deterministic=False)
    assert torch.get_deterministic_debug_mode() == 0


@pytest.mark.parametrize("deterministic", [True, False])
def test_cublas_reads_its_setting_once_so_it_is_there(monkeypatch, deterministic):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    choose_kernels(deterministic)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    choose_kernels(deterministic)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_no_gpu_is_started(monkeypatch):
    def refuse():
        raise AssertionError("a GPU was started")

    monkeypatch.setattr(torch.cuda, "_lazy_init", refuse)
    choose_kernels(deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
