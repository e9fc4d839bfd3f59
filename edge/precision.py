"""In which number format a backbone computes while it trains."""

import torch

from shared.settings import TrainingSettings


def autocast(training: TrainingSettings, device: torch.device) -> torch.autocast:
    """Return the context a backbone's forward pass runs in.

    "auto" is bf16 on CUDA, whose tensor cores it feeds, and fp32 on the CPU, where what bf16 gives depends on the
    processor: 1.5 times the speed of fp32 with AVX-512 BF16 (``benchmarks/local_step.py``, resnet8 at 32 pixels), while
    one without it emulates. Weights, gradients and losses stay fp32 in every case.
    """
    bf16 = training.precision == "bf16" or (training.precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)
