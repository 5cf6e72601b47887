"""The operations of docs/exact-ops.md in NumPy: a realisation of its own, for the tests alone.

A tensor is (mantissas, exponent): an int64 array in its shape, and a Python int. Sums of products run in float64 through BLAS
where a bound below 2^53 makes every order of summation exact, and in Python integers otherwise.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal, getcontext

import numpy as np

BIAS, GATE, RELU, FIXED, QUANTIZE = 1, 2, 4, 8, 16
SATURATION = 2**31 - 1
WEIGHT_EXPONENT, MOMENTUM_EXPONENT, LOGIT_EXPONENT = -28, -26, -16
GUARD_BITS = 8


def _tables():
    """round(2^(26 - i/256)) and round(2^(26 - i/65536)), i = 0 ... 255, by repeated square roots to 60 digits."""
    getcontext().prec = 60

    def entry(i: int, halvings: int) -> int:
        x = Decimal(2) ** -i
        for _ in range(halvings):
            x = x.sqrt()
        return int((x * 2**26).to_integral_value())

    return (np.array([entry(i, k) for i in range(256)], np.int64) for k in (8, 16))


_T1, _T2 = _tables()


def rnd(x, s: int):
    return x if s == 0 else (x + (1 << (s - 1))) >> s


def saturate(x):
    return np.clip(x, -SATURATION, SATURATION)


def shift_saturated(x, t: int, limit: int = SATURATION):
    """To an exponent that is t higher, then clamped to +-limit; decided before a multiplication that could overflow."""
    if t >= 0:
        return np.clip(rnd(x, min(t, 62)), -limit, limit)
    t = min(-t, 62)
    fits = limit >> t
    return np.where(np.abs(x) > fits, np.sign(x) * limit, np.clip(x, -fits, fits) << t)


def requantize(a, e: int, bits: int):
    top = int(np.abs(a).max())
    s = max(0, -512 - e)
    while 2 * top >= (2**bits - 1) << s:
        s += 1
    return rnd(a, s) if s <= 62 else np.zeros_like(a), e + s


def align(terms):
    high, low = max(e for _, e in terms), min(e for _, e in terms)
    base = high - 20 if high - low > 20 else low
    return [m << (e - base) if e >= base else rnd(m, min(base - e, 62)) for m, e in terms], base


def divide(a, e: int, n: int):
    if n & (n - 1) == 0:
        return a, e - (n.bit_length() - 1)
    return (2 * (a << GUARD_BITS) + n) // (2 * n), e - GUARD_BITS


def contract(a, b):
    """a [R, K] times b [O, K], exact."""
    bound = a.shape[1] * int(np.abs(a).max(initial=0)) * int(np.abs(b).max(initial=0))
    if bound < 2**53:
        return (a.astype(np.float64) @ b.astype(np.float64).T).astype(np.int64)
    return a @ b.T


def windows(x, kernel, stride, pads, fill=0):
    """x [N, H, W, C] -> [N, OH, OW, KH, KW, C] with absent pixels set to `fill`."""
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))
    return seen[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)


class Step:
    """What the evaluation of a node needs besides its inputs."""

    def __init__(self, bits, micro_batch, objects=None, learning_rate=0, slots=None, gradients=None):
        self.bits, self.micro_batch, self.objects = bits, micro_batch, objects
        self.learning_rate, self.slots, self.gradients = learning_rate, slots, gradients


def _spatial(a):
    return (a["strideH"], a["strideW"]), (a["padTop"], a["padLeft"], a["padBottom"], a["padRight"])


def _finish(acc, e, step, a, gate=None):
    f = a.get("flags", 0)
    if f & GATE:
        acc = np.where(gate > 0, acc, 0)
    if f & RELU:
        acc = np.maximum(acc, 0)
    if f & FIXED:
        return shift_saturated(acc, a["exponent"] - e), a["exponent"]
    return requantize(acc, e, step.bits)


def _optional(inputs, f):
    rest = list(inputs)
    bias = rest.pop(0) if f & BIAS else None
    gate = rest.pop(0)[0] if f & GATE else None
    return bias, gate


def _biased(acc, e, bias, bits):
    if bias is None:
        return acc
    return acc + shift_saturated(bias[0], e - WEIGHT_EXPONENT, 2**20 if bits == 8 else 2**40)


def _convolution(step, inputs, a):
    """Accumulators [N, OH, OW, O] before pooling, their exponent."""
    (x, ex), (w, ew) = inputs[:2]
    stride, pads = _spatial(a)
    o, kh, kw, c = w.shape
    seen = windows(x, (kh, kw), stride, pads)
    n, oh, ow = seen.shape[:3]
    g = a["groups"]
    parts = [
        contract(
            np.ascontiguousarray(seen[..., i * c : (i + 1) * c]).reshape(n * oh * ow, kh * kw * c),
            w[i * (o // g) : (i + 1) * (o // g)].reshape(o // g, kh * kw * c),
        )
        for i in range(g)
    ]
    acc = np.concatenate(parts, axis=1).reshape(n, oh, ow, o)
    bias, _ = _optional(inputs[2:], a["flags"])
    return _biased(acc, ex + ew, bias, step.bits), ex + ew


def _blocks(acc, k):
    n, h, w, c = acc.shape
    acc = acc[:, : h // k * k, : w // k * k]
    return acc.reshape(n, h // k, k, w // k, k, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // k, w // k, k * k, c)


def conv(step, inputs, a, shape):
    acc, e = _convolution(step, inputs, a)
    if a["pool"] > 1:
        acc = _blocks(acc, a["pool"]).max(axis=3)
    _, gate = _optional(inputs[2:], a["flags"])
    return _finish(acc, e, step, a, gate)


def conv_pool_index(step, inputs, a, shape):
    acc, _ = _convolution(step, inputs, a)
    return _blocks(acc, a["pool"]).argmax(axis=3).astype(np.int64), 0


def _pairs(size, out, stride, pad, k):
    """(input position, output position) that meet at kernel position k."""
    y = np.arange(out)
    at = y * stride + k - pad
    ok = (at >= 0) & (at < size)
    return at[ok], y[ok]


def conv_input_grad(step, inputs, a, shape):
    (d, ed), (w, ew) = inputs[:2]
    stride, pads = _spatial(a)
    n, h, wd, c = shape
    _, oh, ow, o = d.shape
    g, kh, kw = a["groups"], w.shape[1], w.shape[2]
    acc = np.zeros(shape, np.int64)
    for i in range(kh):
        ys, yo = _pairs(h, oh, stride[0], pads[0], i)
        for j in range(kw):
            xs, xo = _pairs(wd, ow, stride[1], pads[1], j)
            if len(ys) == 0 or len(xs) == 0:
                continue
            for p in range(g):
                cs, os_ = slice(p * c // g, (p + 1) * c // g), slice(p * o // g, (p + 1) * o // g)
                part = d[:, yo][:, :, xo][..., os_]
                made = contract(part.reshape(-1, o // g), w[cs, i, j, :]).reshape(n, len(ys), len(xs), c // g)
                acc[np.ix_(np.arange(n), ys, xs, np.arange(c)[cs])] += made
    _, gate = _optional(inputs[2:], a["flags"])
    return _finish(acc, ed + ew, step, a, gate)


def conv_weight_grad(step, inputs, a, shape):
    (x, ex), (d, ed) = inputs
    stride, pads = _spatial(a)
    o, kh, kw, cg = shape
    g = a["groups"]
    _, n, oh, ow = d.shape
    seen = windows(x.transpose(1, 2, 3, 0), (kh, kw), stride, pads)[:, :oh, :ow]
    acc = np.empty(shape, np.int64)
    for p in range(g):
        cols = seen[..., p * cg : (p + 1) * cg].reshape(n * oh * ow, kh * kw * cg)
        rows = d[p * (o // g) : (p + 1) * (o // g)].reshape(o // g, n * oh * ow)
        acc[p * (o // g) : (p + 1) * (o // g)] = contract(rows, cols.T).reshape(o // g, kh, kw, cg)
    return shift_saturated(acc, a["exponent"] - ex - ed), a["exponent"]


def matmul(step, inputs, a, shape):
    (x, ex), (w, ew) = inputs[:2]
    bias, gate = _optional(inputs[2:], a["flags"])
    return _finish(_biased(contract(x, w), ex + ew, bias, step.bits), ex + ew, step, a, gate)


def row_sum(step, inputs, a, shape):
    x, e = inputs[0]
    acc = x.sum(axis=1)
    if a["flags"] & FIXED:
        return shift_saturated(acc, a["exponent"] - e), a["exponent"]
    return acc, e


def add(step, inputs, a, shape):
    terms, e = align(inputs)
    acc = sum(terms)
    return requantize(np.maximum(acc, 0) if a["flags"] & RELU else acc, e, step.bits)


LOWEST = -(2**40)


def _pool_windows(inputs, a, fill):
    stride, pads = _spatial(a)
    seen = windows(inputs[0][0], (a["kernelH"], a["kernelW"]), stride, pads, fill)
    n, oh, ow, kh, kw, c = seen.shape
    return seen.reshape(n, oh, ow, kh * kw, c)


def max_pool(step, inputs, a, shape):
    return _pool_windows(inputs, a, LOWEST).max(axis=3), inputs[0][1]


def max_pool_index(step, inputs, a, shape):
    return _pool_windows(inputs, a, LOWEST).argmax(axis=3).astype(np.int64), 0


def _spread(d, a, shape, chosen=None):
    """Sum over the windows that contain a pixel, of d (where `chosen` names the pixel, if given)."""
    stride, pads = _spatial(a)
    acc = np.zeros(shape, np.int64)
    for i in range(a["kernelH"]):
        ys, yo = _pairs(shape[1], d.shape[1], stride[0], pads[0], i)
        for j in range(a["kernelW"]):
            xs, xo = _pairs(shape[2], d.shape[2], stride[1], pads[1], j)
            part = d[:, yo][:, :, xo]
            if chosen is not None:
                part = np.where(chosen[:, yo][:, :, xo] == i * a["kernelW"] + j, part, 0)
            acc[np.ix_(np.arange(shape[0]), ys, xs, np.arange(shape[3]))] += part
    return acc


def max_pool_grad(step, inputs, a, shape):
    (d, e), (index, _) = inputs[:2]
    _, gate = _optional(inputs[2:], a["flags"])
    return _finish(_spread(d, a, shape, index), e, step, a, gate)


def average_pool(step, inputs, a, shape):
    acc, e = divide(_pool_windows(inputs, a, 0).sum(axis=3), inputs[0][1], a["kernelH"] * a["kernelW"])
    return requantize(acc, e, step.bits)


def average_pool_grad(step, inputs, a, shape):
    d, e = inputs[0]
    acc, e = divide(_spread(d, a, shape), e, a["kernelH"] * a["kernelW"])
    _, gate = _optional(inputs[1:], a["flags"])
    return _finish(acc, e, step, a, gate)


def exponential(step, inputs, a, shape):
    z, top = inputs[0][0], inputs[1][0]
    d = np.minimum(top[:, None] - z, 20 << 16)
    t = (d * 94548) >> 16
    n, f = t >> 16, t & 65535
    return (_T1[f >> 8] * _T2[f & 255]) >> (n + 22), -30


def softmax_grad(step, inputs, a, shape):
    (e, _), (total, _), (label, _) = inputs
    p = a["probabilityBits"]
    one = np.arange(e.shape[1])[None, :] == label[:, None]
    acc = (e << p) // total[:, None] - (one.astype(np.int64) << p)
    exponent = -p - (step.micro_batch.bit_length() - 1)
    return requantize(acc, exponent, step.bits) if a["flags"] & QUANTIZE else (acc, exponent)


def mse_grad(step, inputs, a, shape):
    (z, y), e = align(inputs)
    acc, e = divide(z - y, e + 1 - (step.micro_batch.bit_length() - 1), shape[-1])
    return requantize(acc, e, step.bits)


_ENCODINGS = [np.dtype("u1"), np.dtype("i1"), np.dtype("<i2"), np.dtype("<i4")]


def read_input(step, inputs, a, shape):
    kind = _ENCODINGS[a["encoding"]]
    count = int(np.prod(shape[1:], initial=1))
    field = np.ascontiguousarray(step.objects[:, a["offset"] : a["offset"] + count * kind.itemsize])
    raw = field.view(kind).astype(np.int64)
    if a["classes"]:
        raw = raw & ((1 << (8 * kind.itemsize)) - 1)
    return saturate(raw * a["multiply"] + a["add"]).reshape(shape), a["exponent"]


def sgd_momentum(step, inputs, a, shape):
    g, v, w = (m for m, _ in inputs)
    made = g + rnd(v * a["momentum"], a["momentumShift"]) + rnd(w * a["weightDecay"], a["weightDecayShift"] + 2)
    return saturate(made), MOMENTUM_EXPONENT


def sgd_weight(step, inputs, a, shape):
    w, v = (m for m, _ in inputs)
    return saturate(w - rnd(4 * v * step.learning_rate, a["learningRateShift"])), WEIGHT_EXPONENT


def relayout(step, inputs, a, shape):
    view = [a[f"view{i}"] for i in range(4)]
    return inputs[0][0].reshape(view).transpose([a[f"axis{i}"] for i in range(4)]).reshape(shape), inputs[0][1]


def accumulate(step, inputs, a, shape):
    parts = step.gradients[a["slot"]]
    return rnd(sum(parts), len(parts).bit_length() - 1), MOMENTUM_EXPONENT


OPERATIONS = {
    "INPUT": read_input,
    "LOAD": lambda step, inputs, a, shape: step.slots[a["space"], a["slot"]],
    "STORE": lambda step, inputs, a, shape: inputs[0],
    "RELAYOUT": relayout,
    "REQUANTIZE": lambda step, inputs, a, shape: requantize(*inputs[0], step.bits),
    "SHIFT": lambda step, inputs, a, shape: (
        shift_saturated(inputs[0][0], a["exponent"] - inputs[0][1]),
        a["exponent"],
    ),
    "MATMUL": matmul,
    "CONV": conv,
    "CONV_POOL_INDEX": conv_pool_index,
    "CONV_INPUT_GRAD": conv_input_grad,
    "CONV_WEIGHT_GRAD": conv_weight_grad,
    "ROW_SUM": row_sum,
    "ROW_MAX": lambda step, inputs, a, shape: (inputs[0][0].max(axis=1), inputs[0][1]),
    "ADD": add,
    "RELU": lambda step, inputs, a, shape: (np.maximum(inputs[0][0], 0), inputs[0][1]),
    "GATE": lambda step, inputs, a, shape: (np.where(inputs[1][0] > 0, inputs[0][0], 0), inputs[0][1]),
    "MAX_POOL": max_pool,
    "MAX_POOL_INDEX": max_pool_index,
    "MAX_POOL_GRAD": max_pool_grad,
    "AVERAGE_POOL": average_pool,
    "AVERAGE_POOL_GRAD": average_pool_grad,
    "EXP": exponential,
    "SOFTMAX_GRAD": softmax_grad,
    "MSE_GRAD": mse_grad,
    "ACCUMULATE": accumulate,
    "SGD_MOMENTUM": sgd_momentum,
    "SGD_WEIGHT": sgd_weight,
}


def evaluate(step, node, inputs):
    """The output of one node: (int64 mantissas in the output's shape, exponent)."""
    shape = tuple(node["output"]["shape"])
    m, e = OPERATIONS[node["opcode"]](step, inputs, node["attributes"], shape)
    return np.asarray(m, np.int64).reshape(shape), int(e)


def run_tape(step, nodes):
    """All tensors of one tape, and what its STOREs put into (space, slot)."""
    tensors, stored = [], {}
    for node in nodes:
        tensors.append(evaluate(step, node, [tensors[i] for i in node["inputs"]]))
        if node["opcode"] == "STORE":
            stored[node["attributes"]["space"], node["attributes"]["slot"]] = tensors[-1]
    return tensors, stored


def run_step(program, state, objects, learning_rate):
    """One training step. `state`: int64 arrays by slot; `objects`: uint8 [M x N, objectBytes]. Returns the next state."""
    n, bits = program["microBatch"], program["bits"]
    exponents = [s["exponent"] for s in program["state"]]
    slots = {(0, i): (m, exponents[i]) for i, m in enumerate(state)}
    gradients = [[] for _ in program["gradients"]]
    for at in range(0, len(objects), n):
        _, stored = run_tape(Step(bits, n, objects[at : at + n], slots=slots), program["tapes"][0])
        for i, parts in enumerate(gradients):
            parts.append(stored[1, i][0])
    _, stored = run_tape(Step(bits, n, slots=slots, gradients=gradients), program["tapes"][1])
    slots.update(stored)
    _, stored = run_tape(Step(bits, n, learning_rate=learning_rate, slots=slots), program["tapes"][2])
    return [stored.get((0, i), (m, 0))[0] for i, m in enumerate(state)]


def load_json(path):
    with open(os.fspath(path), encoding="utf-8") as file:
        return json.load(file)
