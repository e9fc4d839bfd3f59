"""BatchNorm folded into the convolution before it: in evaluation mode both are one affine map."""

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode in which each BatchNorm that follows a convolution is part of its weights.

    Only neighbours within one ``nn.Sequential`` are folded, where the order of the parts is the order of the data: all
    of our small ResNets, and the blocks of those torchvision models that are built so. Anything else stays as it is.
    The outputs agree to fp32 rounding.

    Args:
        module: Any module; not changed.
    """
    copied = copy.deepcopy(module).eval()
    for part in list(copied.modules()):
        if isinstance(part, nn.Sequential):
            _fold_neighbours(part)
    return copied


def _fold_neighbours(sequence: nn.Sequential) -> None:
    for (first, convolution), (second, norm) in pairwise(list(sequence.named_children())):
        if type(convolution) is nn.Conv2d and type(norm) is nn.BatchNorm2d and norm.track_running_stats and norm.affine:
            sequence.register_module(first, fuse_conv_bn_eval(convolution, norm))
            sequence.register_module(second, nn.Identity().eval())
