"""In which number format and memory layout a backbone computes while it trains."""

import torch

from shared.settings import TrainingSettings


def autocast(training: TrainingSettings, device: torch.device) -> torch.autocast:
    """Return the context a backbone's forward pass runs in.

    "auto" is bf16 on CUDA, whose tensor cores it feeds, and fp32 on the CPU, where what bf16 gives depends on the
    processor: 1.5 times the speed of fp32 with AVX-512 BF16 (``benchmarks/local_step.py``, resnet8 at 32 pixels), while
    one without it emulates. Weights, gradients and losses stay fp32 in every case.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=_bf16(training, device))


def memory_layout(training: TrainingSettings, device: torch.device) -> torch.memory_format:
    """Return how images and weights lie in memory: channels last, but row-major for bf16 on the CPU.

    Channels last takes a third off a step in fp32. In bf16 it gains little on the CPU, where torch 2.15 leaves parts
    of the weight gradient of a strided convolution on a 1x1 map as it found the memory: neither right nor repeatable.
    """
    if device.type == "cpu" and _bf16(training, device):
        return torch.contiguous_format
    return torch.channels_last


def _bf16(training: TrainingSettings, device: torch.device) -> bool:
    return training.precision == "bf16" or (training.precision == "auto" and device.type == "cuda")
