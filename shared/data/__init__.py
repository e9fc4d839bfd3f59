"""Images by SPEC: ``digits``, ``fashion-mnist:DIR``, ``cifar10:DIR``, ``cifar100:DIR`` or ``folder:DIR``."""

from shared.data.held_out import held_out
from shared.data.pixels import read_image
from shared.data.spec import check_source, read
from shared.data.splits import Splits

__all__ = ["Splits", "check_source", "held_out", "read", "read_image"]
