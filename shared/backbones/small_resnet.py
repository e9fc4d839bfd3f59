"""The CIFAR ResNets of He et al. 2016, section 4.2: widths 16-32-64, small enough for a CPU to train."""

from typing import Final

from torch import Tensor, nn

WIDTHS: Final = (16, 32, 64)
"""Channels of the three stages; the last is the number of features."""


class SmallResNet(nn.Module):
    """A 3x3 stem, three stages of basic blocks, global average pooling.

    ReLUs work in place: no gradient needs what they overwrite, and a step keeps seven maps less in memory.

    Args:
        blocks: Basic blocks per stage.
        channels: Of the images.
    """

    feature_dim: int = WIDTHS[-1]

    def __init__(self, blocks: int, channels: int) -> None:
        super().__init__()
        stem = [
            nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(inplace=True),
        ]
        stages: list[nn.Module] = []
        width = WIDTHS[0]
        for stage, next_width in enumerate(WIDTHS):
            for block in range(blocks):
                stages.append(BasicBlock(width, next_width, stride=2 if stage > 0 and block == 0 else 1))
                width = next_width
        self.layers = nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, 64), non-negative, of images (N, channels, height, width)."""
        features: Tensor = self.layers(images)
        return features


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes.

    Args:
        width: Channels in.
        next_width: Channels out.
        stride: Of the first convolution and the shortcut.
    """

    def __init__(self, width: int, next_width: int, *, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(width, next_width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(next_width),
            nn.ReLU(inplace=True),
            nn.Conv2d(next_width, next_width, 3, padding=1, bias=False),
            nn.BatchNorm2d(next_width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width != next_width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width, next_width, 1, stride=stride, bias=False), nn.BatchNorm2d(next_width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, next_width, height / stride, width / stride)."""
        out: Tensor = nn.functional.relu(self.residual(x) + self.shortcut(x), inplace=True)
        return out
