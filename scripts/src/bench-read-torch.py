"""PyTorch's side of bench-read: the same network, forward only, without gradients.

Reads one JSON command a line: {"batch": b, "channelsLast": c, "slices": n} reads n slices of a made-up scan, b at a time, into one volume of
probabilities and answers {"wall": ms, "cpu": ms}. The first line it writes describes itself. The network is that of reference-unet-torch.py.
"""

import importlib.util
import json
import pathlib
import sys
import time

import torch


def load_network(widths, groups):
    path = pathlib.Path(__file__).with_name("reference-unet-torch.py")
    spec = importlib.util.spec_from_file_location("reference_unet_torch", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.UNet(widths, groups).eval()


def main():
    init = json.loads(sys.argv[1])
    torch.set_num_threads(init["threads"])
    torch.manual_seed(init["seed"])
    net = load_network(init["widths"], init["groups"])
    size = init["size"]
    scan = torch.rand((init["slices"], 1, size, size))
    probability = torch.empty_like(scan)
    parameters = sum(p.numel() for p in net.parameters())
    print(json.dumps({"name": f"PyTorch {torch.__version__}", "parameters": parameters}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        layout = torch.channels_last if command["channelsLast"] else torch.contiguous_format
        net = net.to(memory_format=layout)
        batch, slices = command["batch"], command["slices"]
        start, start_cpu = time.perf_counter(), time.process_time()
        with torch.no_grad():
            for first in range(0, slices, batch):
                image = scan[first : first + batch].contiguous(memory_format=layout)
                probability[first : first + batch] = torch.sigmoid(net(image))
        wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        print(json.dumps({"wall": wall * 1000, "cpu": cpu * 1000}), flush=True)


if __name__ == "__main__":
    main()
