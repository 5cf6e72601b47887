import assert from "node:assert/strict";
import { test } from "node:test";
import { ModuleBuilder } from "../../../../keepers/src/core/wasm/assembler.ts";
import type { I64, V128 } from "../../../../keepers/src/core/wasm/expression.ts";
import { engineFeatures } from "../../../../keepers/src/core/wasm/features.ts";
import { f64, f64x2, i8x16, i32, i64, i64x2, v128 } from "../../../../keepers/src/core/wasm/instructions.ts";
import { signedLeb128, unsignedLeb128 } from "../../../../keepers/src/core/wasm/leb128.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("wasm/assembler");

const memoryOf = (instance: WebAssembly.Instance) => (instance.exports.memory as WebAssembly.Memory).buffer;

function runOnce(
  emit: (module: ModuleBuilder) => void,
  prepare?: (memory: ArrayBuffer) => void,
): ArrayBuffer {
  const module = new ModuleBuilder(1);
  emit(module);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()));
  const memory = memoryOf(instance);
  prepare?.(memory);
  (instance.exports.run as () => void)();
  return memory;
}

test("LEB128 matches the examples of the DWARF and WebAssembly texts", () => {
  assert.deepEqual(unsignedLeb128(0), [0]);
  assert.deepEqual(unsignedLeb128(624485), [0xe5, 0x8e, 0x26]);
  assert.deepEqual(unsignedLeb128(0xffffffff), [0xff, 0xff, 0xff, 0xff, 0x0f]);
  assert.deepEqual(signedLeb128(-123456n), [0xc0, 0xbb, 0x78]);
  assert.deepEqual(signedLeb128(63n), [0x3f]);
  assert.deepEqual(signedLeb128(64n), [0xc0, 0x00]);
  assert.deepEqual(signedLeb128(-(2n ** 63n)), [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]);
  throws(() => unsignedLeb128(-1), RangeError);
  throws(() => unsignedLeb128(2 ** 32), RangeError);
  throws(() => signedLeb128(2n ** 63n), RangeError);
});

test("a loop, a call and 64-bit integers compute what BigInt computes", () => {
  const memory = runOnce((module) => {
    const square = module.function(["i64", "i32"]);
    const operand = square.parameter("i64", 0).value;
    square.emit(i64.store(square.parameter("i32", 1).value, i64.mul(operand, operand)));
    const run = module.function([], "run");
    const count = run.local("i32");
    const x = run.local("i64");
    run.set(x, i64.const(-0x123456789abcdefn));
    run.loop((again) => {
      run.call(square, x.value, i32.mul(count.value, i32.const(8)));
      run.set(x, i64.add(x.value, i64.const(1n)));
      run.set(count, i32.add(count.value, i32.const(1)));
      run.branchIf(again, i32.ltU(count.value, i32.const(200)));
    });
  });
  const results = new BigInt64Array(memory);
  for (let count = 0; count < 200; count++) {
    const x = -0x123456789abcdefn + BigInt(count);
    assert.equal(results[count], BigInt.asIntN(64, x * x));
  }
});

test("a block is left early", () => {
  const memory = runOnce((module) => {
    const run = module.function([], "run");
    run.block((end) => {
      run.branchIf(end, i32.ltU(i32.const(4), i32.const(5)));
      run.emit(i64.store(i32.const(0), i64.const(1n)));
    });
    run.emit(i64.store(i32.const(8), i64.const(2n)));
  });
  assert.deepEqual([...new BigInt64Array(memory, 0, 2)], [0n, 2n]);
});

test("each 64-bit integer instruction has its documented meaning", () => {
  const a = -0x0123456789abcdefn;
  const b = 0x0fedcba987654321n;
  const cases: [I64, bigint][] = [
    [i64.sub(i64.const(a), i64.const(b)), a - b],
    [i64.and(i64.const(a), i64.const(b)), a & b],
    [i64.or(i64.const(a), i64.const(b)), a | b],
    [i64.xor(i64.const(a), i64.const(b)), a ^ b],
    [i64.shl(i64.const(a), i64.const(7n)), a << 7n],
    [i64.shrS(i64.const(a), i64.const(7n)), a >> 7n],
    [i64.shrU(i64.const(a), i64.const(7n)), BigInt.asUintN(64, a) >> 7n],
    [i64.rotl(i64.const(a), i64.const(9n)), (a << 9n) | (BigInt.asUintN(64, a) >> 55n)],
  ];
  const memory = runOnce((module) => {
    const run = module.function([], "run");
    cases.forEach(([value], at) => {
      run.emit(i64.store(i32.const(8 * at), value));
    });
  });
  cases.forEach(([, expected], at) => {
    assert.equal(new BigInt64Array(memory)[at], BigInt.asIntN(64, expected), `case ${at}`);
  });
});

test("each vector instruction has its documented meaning", () => {
  const a = Uint8Array.from({ length: 16 }, (_, at) => at * 17);
  const b = Uint8Array.from({ length: 16 }, (_, at) => 255 - at * 3);
  const words = (bytes: Uint8Array) => [...new BigUint64Array(bytes.slice().buffer)];
  const wordwise = (f: (x: bigint, y: bigint) => bigint) => {
    const [x, y] = [words(a), words(b)];
    return [
      ...new Uint8Array(BigUint64Array.from(x, (word, at) => BigInt.asUintN(64, f(word, y[at]!))).buffer),
    ];
  };
  const left = v128.load(i32.const(0));
  const right = v128.load(i32.const(0), 16);
  const cases: [V128, number[]][] = [
    [v128.and(left, right), [...a].map((x, at) => x & b[at]!)],
    [v128.or(left, right), [...a].map((x, at) => x | b[at]!)],
    [v128.xor(left, right), [...a].map((x, at) => x ^ b[at]!)],
    [v128.zero, new Array(16).fill(0)],
    [v128.load64Splat(i32.const(8)), [...a.slice(8), ...a.slice(8)]],
    [i8x16.splat(i32.const(300)), new Array(16).fill(44)],
    [i8x16.swizzle(right, v128.and(left, i8x16.splat(i32.const(15)))), [...a].map((x) => b[x & 15]!)],
    [
      i8x16.shuffle(
        left,
        right,
        [...Array(16).keys()].map((at) => 31 - 2 * at),
      ),
      [...Array(16).keys()].map((at) => (at < 8 ? b[15 - 2 * at]! : a[31 - 2 * at]!)),
    ],
    [i64x2.splat(i64.const(-2n)), [254, ...new Array(7).fill(255), 254, ...new Array(7).fill(255)]],
    [i64x2.add(left, right), wordwise((x, y) => x + y)],
    [i64x2.sub(left, right), wordwise((x, y) => x - y)],
    [i64x2.shrU(left, i32.const(51)), wordwise((x) => x >> 51n)],
    [i64x2.splat(i64x2.extractLane(left, 1)), [...a.slice(8), ...a.slice(8)]],
  ];
  const memory = runOnce(
    (module) => {
      const run = module.function([], "run");
      cases.forEach(([value], at) => {
        run.emit(v128.store(i32.const(64), value, 16 * at));
      });
    },
    (buffer) => {
      new Uint8Array(buffer).set(a);
      new Uint8Array(buffer).set(b, 16);
    },
  );
  cases.forEach(([, expected], at) => {
    assert.deepEqual([...new Uint8Array(memory, 64 + 16 * at, 16)], expected, `case ${at}`);
  });
});

test("doubles are added, subtracted and converted", () => {
  const memory = runOnce((module) => {
    const run = module.function([], "run");
    run.emit(f64.store(i32.const(0), f64.convertI64S(i64.const(-3n))));
    const three = v128.load64Splat(i32.const(0));
    run.emit(v128.store(i32.const(16), f64x2.add(three, three)));
    run.emit(v128.store(i32.const(32), f64x2.sub(v128.zero, three)));
  });
  const doubles = new Float64Array(memory);
  assert.deepEqual([doubles[0], doubles[2], doubles[3], doubles[4]], [-3, -6, -6, 3]);
});

test("relaxed instructions agree with the plain ones where the probe says they exist", () => {
  const features = engineFeatures();
  assert.equal(typeof features.relaxedSwizzle, "boolean");
  if (features.relaxedSwizzle) {
    const memory = runOnce(
      (module) => {
        const run = module.function([], "run");
        const table = v128.load(i32.const(0));
        const nibbles = v128.load(i32.const(16));
        run.emit(v128.store(i32.const(32), i8x16.swizzle(table, nibbles)));
        run.emit(v128.store(i32.const(48), i8x16.relaxedSwizzle(table, nibbles)));
      },
      (buffer) => {
        new Uint8Array(buffer).set(Uint8Array.from({ length: 32 }, (_, at) => (at < 16 ? 7 * at : 31 - at)));
      },
    );
    const bytes = new Uint8Array(memory);
    assert.deepEqual(bytes.slice(48, 64), bytes.slice(32, 48));
    assert.equal(bytes[32], 105);
  }
});

test("wrong use throws where it is written", () => {
  const module = new ModuleBuilder(1);
  const f = module.function(["i32"], "run");
  const untyped = (value: unknown) => value as never;
  throws(() => f.parameter("i64", 0), TypeError);
  throws(() => f.parameter("i32", 1), TypeError);
  throws(() => i64.add(i64.const(1n), untyped(i32.const(1))), TypeError);
  throws(() => v128.store(i32.const(0), untyped(i64.const(0n))), TypeError);
  const vector = f.local("v128");
  throws(() => f.set(vector, untyped(i32.const(1))), TypeError);
  throws(() => module.function([]).set(vector, v128.zero), TypeError);
  throws(() => f.call(module.function(["i64"])), TypeError);
  throws(() => f.call(module.function(["i64"]), i32.const(1)), TypeError);
  throws(() => i64x2.extractLane(v128.zero, 2), RangeError);
  throws(() => i8x16.shuffle(v128.zero, v128.zero, [1]), RangeError);
  throws(() => i8x16.shuffle(v128.zero, v128.zero, new Array(16).fill(32)), RangeError);
  let leaked: Parameters<Parameters<typeof f.loop>[0]>[0] | undefined;
  f.loop((label) => {
    leaked = label;
  });
  throws(() => f.branchIf(leaked!, i32.const(0)), RangeError);
  throws(() => f.loop((label) => f.branchIf(label, untyped(i64.const(0n)))), TypeError);
});
