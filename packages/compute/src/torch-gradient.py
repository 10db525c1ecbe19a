"""Answers one request on stdin: loss and gradient of the test's small smooth U-Net, in float64 and float32.

Request: {"weights": [...], "image": [...], "target": [...], "shape": [n, c, h, w], "widths": [...], "groups": g}.
Answer: {"float64": {"loss": x, "gradient": [...]}, "float32": {...}}. Weights are in the canonical order of the graph.
Written from the network's description, with torch.nn.functional alone, so that nothing is shared with what it checks.
"""

import json
import sys

import torch
from torch.nn import functional


def evaluate(request, dtype):
    weights = torch.tensor(request["weights"], dtype=dtype, requires_grad=True)
    image = torch.tensor(request["image"], dtype=dtype).reshape(request["shape"])
    target = torch.tensor(request["target"], dtype=dtype).reshape(request["shape"])
    at = 0

    def take(*shape):
        nonlocal at
        count = torch.Size(shape).numel()
        part = weights[at : at + count].reshape(shape)
        at += count
        return part

    def block(x, out):
        for _ in range(2):
            x = functional.conv2d(x, take(out, x.shape[1], 3, 3), padding=1)
            scale = take(out) + take(out)
            x = functional.group_norm(x, request["groups"], scale, take(out), eps=1e-5)
            x = functional.silu(x)
        return x

    skips = []
    x = image
    for level, width in enumerate(request["widths"]):
        x = block(functional.avg_pool2d(x, 2) if level else x, width)
        skips.append(x)
    skips.pop()
    for width in reversed(request["widths"][:-1]):
        x = block(torch.cat([functional.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], 1), width)
    logits = functional.conv2d(x, take(1, x.shape[1], 1, 1), take(1))
    assert at == weights.numel(), (at, weights.numel())
    p = torch.sigmoid(logits)
    dice = 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
    loss = functional.binary_cross_entropy_with_logits(logits, target, weight=1 + target) + dice
    loss.backward()
    return {"loss": loss.item(), "gradient": weights.grad.tolist()}


torch.set_num_threads(1)
request = json.load(sys.stdin)
print(json.dumps({"float64": evaluate(request, torch.float64), "float32": evaluate(request, torch.float32)}))
