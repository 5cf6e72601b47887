import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import {
  committedTablesHash,
  makeTables,
  T1,
  T2,
  tablesHash,
} from "../../../../keepers/src/core/exact/tables.ts";

/** Whether r = round(2^(26 − i/d)): (2r − 1)^d < 2^(27·d − i) < (2r + 1)^d, in whole powers. */
function isRounded(r: number, i: number, d: number): boolean {
  const target = 2n ** (27n * BigInt(d) - BigInt(i));
  const power = BigInt(d);
  return (2n * BigInt(r) - 1n) ** power < target && target < (2n * BigInt(r) + 1n) ** power;
}

describe("tables of the exponential", () => {
  it("are what their derivation gives", () => {
    const { t1, t2 } = makeTables();
    assert.deepEqual([...T1], t1);
    assert.deepEqual([...T2], t2);
  });

  it("hold correctly rounded powers, by exact 256th and 65536th powers", () => {
    T1.forEach((value, i) => {
      assert.ok(isRounded(value, i, 256), `T1[${i}] = ${value}`);
    });
    for (const i of [1, 128, 255]) assert.ok(isRounded(T2[i]!, i, 65536), `T2[${i}] = ${T2[i]}`);
    assert.ok(!isRounded(T2[1]! + 1, 1, 65536));
    assert.ok(!isRounded(T1[9]! - 1, 9, 256));
    T2.forEach((value, i) => {
      assert.ok(Math.abs(value - 2 ** (26 - i / 65536)) < 0.500001, `T2[${i}] = ${value}`);
    });
  });

  it("have the hash that is committed beside them", () => {
    const bytes = Buffer.alloc(2048);
    for (const [i, value] of [...T1, ...T2].entries()) bytes.writeUInt32BE(value, 4 * i);
    assert.equal(committedTablesHash, `0x${Buffer.from(keccak_256(bytes)).toString("hex")}`);
    assert.equal(tablesHash(T1, T2), committedTablesHash);
    assert.notEqual(tablesHash(T2, T1), committedTablesHash);
  });
});
