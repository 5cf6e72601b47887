"""Evaluates generated cases (JSON lines on standard input) in NumPy and names every one whose bits differ.

The last line of its output is a JSON document {"cases": …, "wrong": …}; the exit code is 1 when any is wrong.
"""

import json
import sys

import numpy as np

import exact_ops


def tensor(given):
    return np.array(given["mantissas"], np.int64).reshape(given["shape"]), given["exponent"]


def run(case):
    node = case["node"]
    attributes = node["attributes"]
    objects = case.get("objects")
    step = exact_ops.Step(
        case["bits"],
        case["microBatch"],
        objects=objects and np.array([list(bytes.fromhex(o)) for o in objects], np.uint8),
        learning_rate=case.get("learningRate", 0),
        slots={(attributes["space"], attributes["slot"]): tensor(case["slot"])} if case.get("slot") else None,
        gradients={attributes["slot"]: [tensor(g)[0] for g in case["gradients"]]} if case.get("gradients") else None,
    )
    return exact_ops.evaluate(step, node, [tensor(t) for t in case["inputs"]])


def main():
    cases = wrong = 0
    for line in sys.stdin:
        case = json.loads(line)
        mantissas, exponent = run(case)
        expected, expected_exponent = tensor(case["expected"])
        cases += 1
        if exponent != expected_exponent or not np.array_equal(mantissas, expected):
            wrong += 1
            at = np.argwhere(mantissas != expected)[:1].tolist()
            print(f"case {cases}, {case['node']['opcode']} in E{case['bits']}: differs at {at}, {exponent} {expected_exponent}")
    print(json.dumps({"cases": cases, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
