"""PyTorch's side of bench:compute: builds the network from the graph that it is given, and runs it as asked.

The first line on stdin is an Assignment (assignment.ts), every other one {"runs": n}. The first line answered is a Greeting, every
other one a Turn. Nothing of a case is written here: only what each operator and each kind of work is in PyTorch.
"""

import json
import math
import re
import sys
import time

import torch
import torch.utils.mkldnn
from torch.nn import functional

GOLDEN = 0.6180339887498949
SEED_STEP = 0.41421356237309515
LEARNING_RATE = 1e-3
CLIP_NORM = 1.0
NOISE_MULTIPLIER = 1.0


def spread(start, count, seed):
    """Values start … start + count of the sequence that every contestant fills its tensors from."""
    values = (torch.arange(start, start + count, dtype=torch.float64) + 1) * GOLDEN + seed * SEED_STEP
    return values - values.floor()


def convolve(node, x, w, b=None):
    geometry = {key: node[key] for key in ("stride", "padding", "dilation", "groups")}
    return {4: functional.conv2d, 5: functional.conv3d}[w.dim()](x, w, b, **geometry)


def max_pool(node, x):
    return {4: functional.max_pool2d, 5: functional.max_pool3d}[x.dim()](x, node["size"])


def upsample(node, x):
    return functional.interpolate(x, scale_factor=tuple(map(float, node["factor"])), mode="nearest")


def soft_dice(node, logits, target):
    assert node["over"] == "batch" and logits.shape[1] == 1
    p = torch.sigmoid(logits)
    return 1 - (2 * (p * target).sum() + node["smooth"]) / (p.sum() + target.sum() + node["smooth"])


OPERATORS = {
    "conv": convolve,
    "groupNorm": lambda node, x, scale, shift: functional.group_norm(x, node["groups"], scale, shift, node["epsilon"]),
    "relu": lambda node, x: functional.relu(x, inplace=node["may_overwrite"]),
    "maxPool": max_pool,
    "upsample": upsample,
    "concat": lambda node, *values: torch.cat(values, 1),
    "sigmoid": lambda node, x: torch.sigmoid(x),
    "add": lambda node, a, b: a + b,
    "mul": lambda node, a, b: a * b,
    "mean": lambda node, x: x.mean(),
    "bceWithLogits": lambda node, logits, target: functional.binary_cross_entropy_with_logits(logits, target),
    "softDiceLoss": soft_dice,
}


class Network:
    """A graph's forward pass. Results are let go after their last use, and overwritten where only the next operator reads them."""

    def __init__(self, graph, seed):
        self.nodes = [node for node in graph["nodes"]]
        self.output = graph["outputs"][0]["node"]
        assert len(graph["outputs"]) == 1
        uses = [0] * len(self.nodes)
        last = {}
        for index, node in enumerate(self.nodes):
            for source in node["inputs"]:
                uses[source] += 1
                last[source] = index
        self.ended = [[] for _ in self.nodes]
        for source, index in last.items():
            self.ended[index].append(source)
        for node in self.nodes:
            # Neither a convolution nor a group norm needs its own result to go back.
            source = node["inputs"][0] if node["inputs"] else None
            before = None if source is None else self.nodes[source]["op"]
            node["may_overwrite"] = before in ("conv", "groupNorm") and uses[source] == 1
        self.parameters = {}
        at = 0
        for index in graph["parameters"]:
            node = self.nodes[index]
            count = math.prod(node["shape"])
            bound = math.sqrt(6 / math.prod(node["shape"][1:])) if len(node["shape"]) > 2 else 0.0
            base = 1.0 if node["name"].endswith("scale") else 0.0
            values = base + bound * (2 * spread(at, count, seed) - 1)
            self.parameters[index] = values.float().reshape(node["shape"]).requires_grad_()
            at += count
        self.count = at
        self.weights = list(self.parameters.values())

    def __call__(self, inputs):
        values = {}
        for index, node in enumerate(self.nodes):
            if node["op"] == "input":
                values[index] = inputs.get(node["name"])
            elif node["op"] == "parameter":
                values[index] = self.parameters[index]
            else:
                values[index] = OPERATORS[node["op"]](node, *[values[source] for source in node["inputs"]])
            for source in self.ended[index]:
                del values[source]
        return values[self.output]


def inputs_of(graph, seed, start=0):
    """Every input of the graph from the sequence, value `start` on; a target is where the image is bright."""
    inputs = {}
    for index in graph["inputs"]:
        node = graph["nodes"][index]
        values = spread(start, math.prod(node["shape"]), seed).float()
        inputs[node["name"]] = ((values > 0.7).float() if node["name"] == "target" else values).reshape(node["shape"])
    return inputs


def gradient_norm(weights):
    return math.sqrt(sum(float(w.grad.double().square().sum()) for w in weights))


def prepare_train(assignment):
    network = Network(assignment["graph"], assignment["seed"])
    inputs = inputs_of(assignment["graph"], assignment["seed"])
    optimizer = torch.optim.Adam(network.weights, lr=LEARNING_RATE)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = network(inputs)
        loss.backward()
        return loss

    value = step().item()
    greeting = {"parameters": network.count, "value": value, "gradientNorm": gradient_norm(network.weights)}

    def run():
        step()
        optimizer.step()

    return greeting, run


def prepare_private(assignment):
    """The loop that a person writes: each patient's gradient by itself, clipped, summed; then noise."""
    network = Network(assignment["graph"], assignment["seed"])
    patients = assignment["work"]["patients"]
    size = sum(math.prod(assignment["graph"]["nodes"][index]["shape"]) for index in assignment["graph"]["inputs"][:1])
    cohort = [inputs_of(assignment["graph"], assignment["seed"], patient * size) for patient in range(patients)]
    optimizer = torch.optim.Adam(network.weights, lr=LEARNING_RATE)

    def gradient(patient):
        optimizer.zero_grad(set_to_none=True)
        loss = network(cohort[patient])
        loss.backward()
        return loss

    value = gradient(0).item()
    greeting = {"parameters": network.count, "value": value, "gradientNorm": gradient_norm(network.weights)}

    def run():
        total = [torch.zeros_like(w) for w in network.weights]
        for patient in range(patients):
            gradient(patient)
            norm = torch.sqrt(sum(w.grad.square().sum() for w in network.weights))
            factor = float(torch.clamp(CLIP_NORM / norm, max=1.0))
            for sum_, w in zip(total, network.weights):
                sum_.add_(w.grad, alpha=factor)
        for sum_, w in zip(total, network.weights):
            w.grad = (sum_ + torch.randn_like(sum_) * (NOISE_MULTIPLIER * CLIP_NORM)) / patients
        optimizer.step()

    return greeting, run


def prepare_read(assignment):
    """Channels innermost, which PyTorch must be asked for: a fifth faster than as it comes. Training gains nothing from it."""
    network = Network(assignment["graph"], assignment["seed"])
    for index, w in network.parameters.items():
        layout = torch.channels_last if w.dim() == 4 else torch.contiguous_format
        network.parameters[index] = w.detach().contiguous(memory_format=layout)
    slices = assignment["work"]["slices"]
    (image,) = assignment["graph"]["inputs"]
    node = assignment["graph"]["nodes"][image]
    batch = node["shape"][0]
    per_slice = math.prod(node["shape"][1:])
    scan = torch.empty([slices, *node["shape"][1:]])
    for index in range(slices):
        scan[index] = spread(index * per_slice, per_slice, assignment["seed"]).float().reshape(node["shape"][1:])
    reading = torch.full([slices, *assignment["graph"]["nodes"][network.output]["shape"][1:]], math.nan)
    at = 0

    @torch.inference_mode()
    def run():
        nonlocal at
        image = scan[at : at + batch].contiguous(memory_format=torch.channels_last)
        reading[at : at + batch] = network({node["name"]: image})
        at = (at + batch) % slices

    run()
    value = reading[:batch].double().mean().item()
    return {"parameters": network.count, "value": value, "gradientNorm": None}, run


def prepare_product(assignment):
    """oneDNN's own product, on tensors that are already laid out for it: Debian's torch.mm has no optimised BLAS behind it."""
    (parameter,) = assignment["graph"]["parameters"]
    size = assignment["graph"]["nodes"][parameter]["shape"][0]
    layer = torch.utils.mkldnn.to_mkldnn(torch.nn.Linear(size, size, bias=False).eval())
    x = torch.rand(size, size).to_mkldnn()

    @torch.inference_mode()
    def run():
        layer(x)

    return {"parameters": size * size, "value": None, "gradientNorm": None}, run


def peak_bytes():
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) * 1024
    except OSError:
        return None


def answer(message):
    print(json.dumps(message), flush=True)


def main():
    assignment = json.loads(sys.stdin.readline())
    torch.set_num_threads(assignment["threads"])
    torch.manual_seed(assignment["seed"])
    prepare = {"train": prepare_train, "private": prepare_private, "read": prepare_read, "product": prepare_product}
    greeting, run = prepare[assignment["work"]["kind"]](assignment)
    answer({"name": f"PyTorch {torch.__version__}", **greeting})
    for line in sys.stdin:
        times = []
        for _ in range(json.loads(line)["runs"]):
            start, start_cpu = time.perf_counter(), time.process_time()
            run()
            wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            times.append({"wallMs": wall * 1000, "cpuMs": cpu * 1000})
        answer({"times": times, "peakBytes": peak_bytes()})


if __name__ == "__main__":
    main()
