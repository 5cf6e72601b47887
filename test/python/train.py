"""Trains a program in NumPy and writes the state it ends with.

usage: train.py FOLDER, with in it
  run.json       {"program": …, "objectBytes": …, "learningRates": [LR of each step], "microBatches": M}
  state.bin      the first state, int32 little-endian, slot after slot
  objects.bin    the objects of all steps, one after another
  final.bin      written: the last state, as state.bin
"""

import sys
from pathlib import Path

import numpy as np

import exact_ops


def main(folder: Path):
    run = exact_ops.load_json(folder / "run.json")
    program = run["program"]
    flat = np.fromfile(folder / "state.bin", "<i4").astype(np.int64)
    state, at = [], 0
    for slot in program["state"]:
        shape = slot["layout"]["shape"]
        size = int(np.prod(shape))
        state.append(flat[at : at + size].reshape(shape))
        at += size
    objects = np.fromfile(folder / "objects.bin", np.uint8).reshape(-1, run["objectBytes"])
    samples = program["microBatch"] * run["microBatches"]
    for step, rate in enumerate(run["learningRates"]):
        state = exact_ops.run_step(program, state, objects[step * samples : (step + 1) * samples], rate)
    np.concatenate([m.ravel() for m in state]).astype("<i4").tofile(folder / "final.bin")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
