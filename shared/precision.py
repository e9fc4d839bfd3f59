"""In which number format a backbone computes, while it trains and while it is measured."""

import torch

from shared.settings import TrainingSettings


def autocast(training: TrainingSettings, device: torch.device) -> torch.autocast:
    """Return the context a backbone's forward pass runs in; weights, gradients and losses stay fp32 in every case."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=in_bf16(training, device))


def in_bf16(training: TrainingSettings, device: torch.device) -> bool:
    """Tell whether a backbone computes in bf16.

    "auto" is bf16 on CUDA, whose tensor cores it feeds, and on a processor with matrix units for it (Intel AMX), where
    a step of ResNet-8 at 32 pixels takes 0.61 of fp32's time (``benchmarks/local_step.py``). It is fp32 on any other
    processor: some emulate bf16, and are slower for it.
    """
    return training.precision == "bf16" or (training.precision == "auto" and feeds_matrix_units(device))


def feeds_matrix_units(device: torch.device) -> bool:
    """Tell whether a device multiplies matrices of bf16 in hardware; what torch cannot tell (before 2.11) is no."""
    if device.type == "cuda":
        return True
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and bool(capabilities.get("amx_bf16"))
