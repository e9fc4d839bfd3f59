"""Where an agent trains: on CUDA when there is one, else on the CPU."""

import torch

from shared.errors import SettingsError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device to train on.

    Args:
        name: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        SettingsError: The name is unknown, or there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as cause:
        raise SettingsError(f"device {name!r} is unknown", remedy="use auto, cpu, cuda or cuda:N") from cause
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"{name} was asked for, this machine has {torch.cuda.device_count()} CUDA devices",
            remedy="use --device auto",
        )
    return device
