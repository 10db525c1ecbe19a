"""PyTorch's side of bench-train: the same network, loss and optimizer on as many threads.

Reads one JSON command a line: {"steps": n} trains n steps and answers {"ms": [{"wall": x, "cpu": x}, ...], "loss": x,
"peakMib": x}, the peak being that of the whole process. The first line it writes describes itself. The architecture is that of bench-train.ts, layer by layer.
"""

import json
import resource
import sys
import time

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


def main():
    init = json.loads(sys.argv[1])
    torch.set_num_threads(init["threads"])
    torch.manual_seed(init["seed"])
    net = UNet(init["widths"], init["groups"])
    optimizer = torch.optim.Adam(net.parameters(), lr=init["learningRate"])
    shape = (init["batch"], 1, init["size"], init["size"])
    image = torch.rand(shape)
    target = (image > 0.7).float()
    parameters = sum(p.numel() for p in net.parameters())
    print(json.dumps({"version": torch.__version__, "parameters": parameters}), flush=True)
    for line in sys.stdin:
        times = []
        loss = None
        for _ in range(json.loads(line)["steps"]):
            start, start_cpu = time.perf_counter(), time.process_time()
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(net(image), target)
            loss.backward()
            optimizer.step()
            wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            times.append({"wall": wall * 1000, "cpu": cpu * 1000})
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"ms": times, "loss": loss.item(), "peakMib": peak}), flush=True)


if __name__ == "__main__":
    main()
