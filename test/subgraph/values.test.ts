import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  decodeBigDecimal,
  decodeBigInt,
  encodeBigDecimal,
  encodeBigInt,
} from "../../subgraph/node/store/columns.ts";
import { like } from "../../subgraph/node/store/like.ts";
import { BigDecimal } from "../../subgraph/node/values/big-decimal.ts";
import { Memory, typeId } from "../../subgraph/node/wasm/memory.ts";

const decimal = (text: string) => BigDecimal.parse(text);

/** Seeded numbers of many sizes. */
function* integers(count: number): Generator<bigint> {
  let state = 0x2545f491n;
  for (let i = 0; i < count; i++) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    const wide = state * state * state * state * state;
    const value = wide >> BigInt(i % 300);
    yield i % 2 === 0 ? value : -value;
  }
}

/** Memory whose allocator, as AssemblyScript's stub, takes one piece after the other. */
function bumpMemory(): Memory {
  const memory = new WebAssembly.Memory({ initial: 1 });
  let next = 16;
  const allocate = (size: number) => {
    const pointer = next;
    next += (size + 31) & ~15;
    return pointer;
  };
  return new Memory({ memory, __new: allocate, id_of_type: (type) => type });
}

describe("decimals as graph-node computes them", () => {
  it("are written without exponents and without trailing zeros", () => {
    for (const [given, written] of [
      ["1.500", "1.5"],
      ["-0.0010", "-0.001"],
      ["1e3", "1000"],
      ["12.5E-4", "0.00125"],
      ["0.000", "0"],
      [".5", "0.5"],
      ["7.", "7"],
      ["1e40", `1${"0".repeat(40)}`],
    ] as const)
      assert.equal(decimal(given).toString(), written, given);
  });

  it("keep 34 digits: half up above zero", () => {
    const nines = "9".repeat(34);
    assert.equal(decimal(`${nines}4`).toString(), `${nines}0`);
    assert.equal(decimal(`${nines}5`).toString(), `1${"0".repeat(35)}`);
    assert.equal(decimal(`0.${"1".repeat(34)}5`).toString(), `0.${"1".repeat(33)}2`);
    assert.equal(decimal("1").dividedBy(decimal("3")).toString(), `0.${"3".repeat(34)}`);
    assert.equal(decimal("2").dividedBy(decimal("3")).toString(), `0.${"6".repeat(33)}7`);
  });

  it("are cut towards zero below it, and a digit later, as the crate that graph-node pins does", () => {
    assert.equal(decimal(`-1${"1".repeat(35)}9`).toString(), `-1${"1".repeat(34)}00`);
  });

  it("divide exactly where they can, with either sign", () => {
    for (const [a, b, quotient] of [
      ["1", "8", "0.125"],
      ["-7", "2", "-3.5"],
      ["7", "-2", "-3.5"],
      ["-6", "-3", "2"],
      ["0", "5", "0"],
      ["123456789012345678901234", "1e10", "12345678901234.5678901234"],
    ] as const)
      assert.equal(decimal(a).dividedBy(decimal(b)).toString(), quotient, `${a} / ${b}`);
    assert.throws(() => decimal("1").dividedBy(decimal("0")), RangeError);
  });

  it("refuse what is no number", () => {
    for (const text of ["", ".", "-", "1,5", "0x10", "1e", "NaN", "1e9999999999", "Infinity"])
      assert.throws(() => decimal(text), /is not a decimal number/, text);
  });

  it("add and multiply as integers do", () => {
    for (const n of integers(200)) {
      const small = BigInt.asIntN(48, n);
      const a = new BigDecimal(small, -5);
      const b = new BigDecimal(BigInt.asIntN(40, n >> 7n), -3);
      const scaled = small + BigInt.asIntN(40, n >> 7n) * 100n;
      assert.equal(a.plus(b).compare(new BigDecimal(scaled, -5)), 0);
      assert.equal(a.times(b).compare(new BigDecimal(small * BigInt.asIntN(40, n >> 7n), -8)), 0);
      assert.equal(a.plus(b).minus(b).compare(a), 0);
    }
  });
});

describe("numbers in the database", () => {
  it("sort as bytes the way they sort as numbers, and come back", () => {
    const values = [...integers(300), 0n, 1n, -1n, 255n, 256n, -255n, -256n, 2n ** 256n - 1n, -(2n ** 255n)];
    for (const value of values) assert.equal(decodeBigInt(encodeBigInt(value)), value);
    const byBytes = [...values].sort((a, b) => Buffer.compare(encodeBigInt(a), encodeBigInt(b)));
    const byValue = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    assert.deepEqual(byBytes, byValue);
  });

  it("do so with decimals of any exponent", () => {
    const values = [...integers(300)].map((n, i) => new BigDecimal(BigInt.asIntN(90, n), (i % 40) - 20));
    values.push(
      ...["0", "0.1", "0.11", "0.12", "-0.1", "-0.11", "-0.12", "1", "10", "-10", "1e300", "-1e300"].map(
        decimal,
      ),
    );
    for (const value of values) assert.equal(decodeBigDecimal(encodeBigDecimal(value)).compare(value), 0);
    const text = (list: BigDecimal[]) => list.map(String);
    const byBytes = [...values].sort((a, b) => Buffer.compare(encodeBigDecimal(a), encodeBigDecimal(b)));
    const byValue = [...values].sort((a, b) => a.compare(b));
    assert.deepEqual(text(byBytes), text(byValue));
  });
});

describe("patterns", () => {
  it("match as PostgreSQL's LIKE and ILIKE", () => {
    for (const [text, pattern, matches, ignoring] of [
      ["abc", "abc", 1, 1],
      ["abc", "ABC", 0, 1],
      ["abc", "%b%", 1, 1],
      ["abc", "a_c", 1, 1],
      ["abc", "_b", 0, 0],
      ["a%c", "a\\%c", 1, 1],
      ["abc", "a\\%c", 0, 0],
      ["aXbXc", "%X_X%", 1, 1],
      ["", "%", 1, 1],
      ["", "_", 0, 0],
      ["añb", "a_b", 1, 1],
      ["😀!", "_!", 1, 1],
      ["mississippi", "%iss%ip%", 1, 1],
      ["mississippi", "%iss%iss%iss%", 0, 0],
    ] as const) {
      assert.equal(like(text, pattern, false), matches, `${text} like ${pattern}`);
      assert.equal(like(text, pattern, true), ignoring, `${text} ilike ${pattern}`);
    }
    assert.equal(like(null, "%", false), null);
  });

  it("take no longer for patterns that are written to take long", () => {
    assert.equal(like("a".repeat(5_000), `${"%a".repeat(200)}b`, false), 0);
  });
});

describe("the memory of a mapping", () => {
  it("holds numbers of any size as graph-ts reads them: little-endian, two's complement, no byte too many", () => {
    const memory = bumpMemory();
    const edges = [
      0n,
      1n,
      127n,
      128n,
      255n,
      256n,
      2n ** 31n - 1n,
      2n ** 31n,
      2n ** 64n,
      2n ** 255n,
      10n ** 24n,
    ];
    for (const edge of edges)
      for (const value of [edge - 1n, edge, edge + 1n, -edge - 1n, -edge, 1n - edge]) {
        const pointer = memory.writeBigInt(value);
        assert.equal(memory.bigInt(pointer), value);
        const length = memory.bytes(pointer).length;
        assert.equal(BigInt.asIntN(length * 8, value), value);
        if (length > 1) assert.notEqual(BigInt.asIntN(length * 8 - 8, value), value, `${value}`);
      }
  });

  it("holds tagged numbers and pointers in eight bytes", () => {
    const memory = bumpMemory();
    for (const payload of [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)])
      assert.equal(memory.i64(memory.writeTagged(typeId.StoreValue, 1, payload) + 8), BigInt(payload));
    assert.equal(memory.u32(memory.writeTagged(typeId.StoreValue, 4, 2 ** 32 - 16) + 8), 2 ** 32 - 16);
    for (const payload of [2n ** 63n - 1n, -(2n ** 63n), -1n])
      assert.equal(memory.i64(memory.writeTagged(typeId.StoreValue, 8, payload) + 8), payload);
  });
});
