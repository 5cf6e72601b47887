"""LeNet-5 in PyTorch float32, from the same first weights, batches and learning rates as an exact run.

usage: float32.py FOLDER, with in it
  run.json         {"batch": N, "stepsPerEpoch": S, "learningRates": [LR of each step, over 2^16], "momentum": over 2^16}
  state.bin        weights and biases as int32 at 2^-28: convolutions [O, KH, KW, C], the first linear layer's columns as (y, x, channel)
  training.bin     objects of 784 pixels and a label; validation.bin likewise
  order.bin        uint32, the training sample at every place of every batch
Prints a JSON line {"epoch", "loss", "accuracy"} after every epoch; with --hash STEPS instead the hash of the weights after STEPS steps.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F


def load(folder: Path):
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    shapes = [(6, 5, 5, 1), (6,), (16, 5, 5, 6), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,)]
    flat = np.fromfile(folder / "state.bin", "<i4").astype(np.float64) * 2.0**-28
    values, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        values.append(flat[at : at + size].reshape(shape))
        at += size
    values[0], values[2] = values[0].transpose(0, 3, 1, 2), values[2].transpose(0, 3, 1, 2)
    values[4] = values[4].reshape(120, 5, 5, 16).transpose(0, 3, 1, 2).reshape(120, 400)
    weights = [torch.tensor(np.ascontiguousarray(v), dtype=torch.float32, requires_grad=True) for v in values]
    return run, weights


def samples(folder: Path, name: str):
    objects = np.fromfile(folder / name, np.uint8).reshape(-1, 785)
    images = (objects[:, :784].astype(np.float32) - 33.0) * 2.0**-6
    return torch.tensor(images.reshape(-1, 1, 28, 28)), torch.tensor(objects[:, 784].astype(np.int64))


def forward(p, x):
    x = F.max_pool2d(F.relu(F.conv2d(x, p[0], p[1], padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, p[2], p[3])), 2).flatten(1)
    x = F.relu(F.linear(x, p[4], p[5]))
    return F.linear(F.relu(F.linear(x, p[6], p[7])), p[8], p[9])


def main(folder: Path, hash_after: int):
    torch.set_num_threads(1)
    run, weights = load(folder)
    x, y = samples(folder, "training.bin")
    order = np.fromfile(folder / "order.bin", "<u4").astype(np.int64).reshape(-1, run["batch"])
    optimizer = torch.optim.SGD(weights, lr=1.0, momentum=run["momentum"] / 65536)
    total = 0.0
    for step, rate in enumerate(run["learningRates"]):
        optimizer.param_groups[0]["lr"] = rate / 65536
        batch = torch.from_numpy(order[step])
        loss = F.cross_entropy(forward(weights, x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        if hash_after == step + 1:
            digest = hashlib.sha256(b"".join(w.detach().numpy().tobytes() for w in weights))
            print(digest.hexdigest(), flush=True)
            return
        if (step + 1) % run["stepsPerEpoch"] == 0:
            with torch.no_grad():
                vx, vy = samples(folder, "validation.bin")
                correct = sum(
                    int((forward(weights, vx[i : i + 500]).argmax(1) == vy[i : i + 500]).sum())
                    for i in range(0, len(vx), 500)
                )
            epoch = (step + 1) // run["stepsPerEpoch"]
            line = {"epoch": epoch, "loss": total / run["stepsPerEpoch"], "accuracy": correct / len(vx)}
            print(json.dumps(line), flush=True)
            total = 0.0


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
