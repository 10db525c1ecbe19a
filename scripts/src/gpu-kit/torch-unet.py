"""PyTorch's side of the GPU kit: the reference U-Net's training step and reading on one device.

Takes one JSON argument: {"device", "network": {"widths", "groups"}, "patience": {...}, "training": [{"batch", "size"}, ...],
"reading": [{"batch", "size"}, ...]}. Writes one JSON value a line: first about itself, then one for each measurement. The network and the
loss are those of reference-unet-torch.py beside it. Each is measured twice: with float32 throughout, and as PyTorch comes,
where convolutions on newer NVIDIA GPUs round their operands to TF32.
"""

import importlib.util
import json
import pathlib
import sys
import time

import torch

beside = pathlib.Path(__file__).resolve().parent.parent / "reference-unet-torch.py"
spec = importlib.util.spec_from_file_location("reference_unet_torch", beside)
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


def say(value):
    print(json.dumps(value), flush=True)


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def time_runs(run, device, patience):
    for _ in range(patience["warmUps"] + 1):
        run()
    wait(device)
    times = []
    began = time.perf_counter()
    while len(times) < patience["atLeast"] or (
        len(times) < patience["atMost"] and (time.perf_counter() - began) * 1000 < patience["budgetMs"]
    ):
        start = time.perf_counter()
        run()
        wait(device)
        times.append((time.perf_counter() - start) * 1000)
    times.sort()
    return {"medianMs": times[len(times) // 2], "fastestMs": times[0], "runs": len(times)}


def measure(work, step, init):
    device = init["device"]
    torch.manual_seed(1)
    net = reference.UNet(init["network"]["widths"], init["network"]["groups"]).to(device)
    host = torch.rand(step["batch"], 1, step["size"], step["size"])
    host_target = (host > 0.7).float()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def train():
        image, target = host.to(device), host_target.to(device)
        optimizer.zero_grad(set_to_none=True)
        loss = reference.loss_of(net(image), target)
        loss.backward()
        optimizer.step()
        loss.item()

    def read():
        with torch.no_grad():
            torch.sigmoid(net(host.to(device))).cpu()

    return time_runs(train if work == "training" else read, device, init["patience"])


def main():
    init = json.loads(sys.argv[1])
    device = init["device"]
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("this PyTorch finds no GPU")
    if device == "cpu":
        torch.set_num_threads(init["threads"])
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    say({"version": torch.__version__, "device": name})
    for precision in ["float32", "as it comes"] if device == "cuda" else ["float32"]:
        torch.backends.cudnn.allow_tf32 = precision != "float32"
        torch.backends.cuda.matmul.allow_tf32 = False
        for work in ["training", "reading"]:
            for step in init[work]:
                try:
                    say({"work": work, "precision": precision, **step, **measure(work, step, init)})
                except RuntimeError as error:
                    print(f"{work} {step}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
