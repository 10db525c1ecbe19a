"""The reference U-Net and its loss in PyTorch: layer by layer those of reference-unet.ts. For the benchmarks' scripts, which load it as a module."""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, channels, out, groups):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(groups, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(groups, out)

    def forward(self, x):
        x = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        return functional.relu(self.norm2(self.conv2(x)), inplace=True)


class UNet(nn.Module):
    def __init__(self, widths, groups):
        super().__init__()
        self.down = nn.ModuleList()
        channels = 1
        for width in widths:
            self.down.append(Block(channels, width, groups))
            channels = width
        self.up = nn.ModuleList()
        for width in reversed(widths[:-1]):
            self.up.append(Block(channels + width, width, groups))
            channels = width
        self.head = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for block in self.up:
            x = block(torch.cat([functional.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], 1))
        return self.head(x)


def loss_of(logits, target):
    probability = torch.sigmoid(logits)
    overlap = 2 * (probability * target).sum() + 1
    both = probability.sum() + target.sum() + 1
    return functional.binary_cross_entropy_with_logits(logits, target) + 1 - overlap / both
