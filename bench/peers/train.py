"""Plain PyTorch float32 training steps, batch 64, one thread. Arguments: model, "default" or "deterministic".

Prints the version of PyTorch and the BLAS that is loaded; then reads lines with a number of steps, runs as many, and
prints the milliseconds of one step on average. The batches are prepared beforehand; labels are drawn anew for every batch, so that gradients stay of ordinary size.
"""

import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional

BATCH = 64


class ResidualCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.entry = nn.Conv2d(1, 16, 3, padding=1)
        self.first = nn.Conv2d(16, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 16, 3, padding=1)
        self.exit = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.last = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.entry(x))
        x = torch.relu(self.second(torch.relu(self.first(x))) + x)
        x = torch.relu(self.exit(functional.max_pool2d(x, 2)))
        return self.last(x.mean((2, 3)))


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def blas():
    """Name of the BLAS that this process maps: builds of PyTorch that link one choose it when they are loaded."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        files = [os.path.realpath(line.split()[-1]) for line in maps if ".so" in line]
    for mark, name in [("openblas", "OpenBLAS"), ("mkl", "MKL"), ("blis", "BLIS"), ("libblas", "reference BLAS")]:
        if any(mark in os.path.basename(file) for file in files):
            return name
    return "MKL" if torch.backends.mkl.is_available() else "a BLAS of its own"


def main():
    name, mode = sys.argv[1:]
    torch.set_num_threads(1)
    torch.manual_seed(1)
    torch.use_deterministic_algorithms(mode == "deterministic")
    model = {"lenet5": lenet5, "mlp": mlp, "residual-cnn": ResidualCnn}[name]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loss = nn.CrossEntropyLoss()
    batches = [
        ((torch.randint(0, 256, (BATCH, 1, 28, 28)).float() - 33) / 64, torch.randint(0, 10, (BATCH,)))
        for _ in range(100)
    ]
    print(f"PyTorch {torch.__version__} with {blas()}, {torch.get_num_threads()} thread(s)", flush=True)
    done = 0
    for line in sys.stdin:
        steps = int(line)
        start = time.perf_counter()
        for _ in range(steps):
            images, labels = batches[done % len(batches)]
            done += 1
            optimizer.zero_grad()
            loss(model(images), labels).backward()
            optimizer.step()
        print((time.perf_counter() - start) * 1000 / steps, flush=True)


main()
