"""Which of torch's kernels a process uses: by default the fastest, on request those that repeat.

On a GPU some kernels add up in the order in which their threads end, so that two runs differ in
their last bits, and from there on in all. ``deterministic`` has torch take others, which are
slower, and raise where there is none (its message names the operation). On the CPU, under one
thread, every kernel repeats anyway.

TF32, with which a GPU's convolutions and products would round their float32 inputs to 10 bits of
mantissa, is off in any run: float32 means float32, as on the CPU. What kernels to take is never
found out by trying (cuDNN's benchmark), as that would depend on what else the GPU does.
"""

import os

import torch

WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
"""Without it cuBLAS may add up in another order each time, and torch refuses to use it."""


def choose_kernels(deterministic: bool) -> None:
    """For this process. To be called before anything is computed on a GPU.

    Needs no GPU, and starts none. Another value than at an earlier call is taken over, but for
    cuBLAS's, which reads the environment once: so it is set in either case. One that a user has set
    is left.
    """
    os.environ.setdefault(*WORKSPACE)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    if torch.are_deterministic_algorithms_enabled() != deterministic:
        # Not use_deterministic_algorithms, which imports torch's compiler: a second, and 75 MB.
        torch.set_deterministic_debug_mode("error" if deterministic else "default")
