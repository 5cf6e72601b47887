import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, encodePacked, type Hex, keccak256, zeroHash } from "viem";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { contributionsOf } from "../../../../keepers/src/core/market/contributions.ts";

const worker = (n: number): Address => `0x${n.toString(16).padStart(40, "0")}`;

/** Top and sum that a proof leads to, from the definition (IWorkerRewards.postRoot). */
function topOf(all: ReturnType<typeof contributionsOf>, address: Address) {
  const { worker, total, index, proof } = all.find(address)!;
  let node: Hex = keccak256(encodePacked(["bytes1", "address", "uint128"], ["0x00", worker, total]));
  let sum = total;
  proof.forEach((other, level) => {
    const [left, right] = (index >> level) % 2 === 0 ? [{ node, sum }, other] : [other, { node, sum }];
    const types = ["bytes1", "bytes32", "uint256", "bytes32", "uint256"] as const;
    node = keccak256(encodePacked(types, ["0x01", left.node, left.sum, right.node, right.sum]));
    sum += other.sum;
  });
  return { node, sum, levels: proof.length };
}

describe("the tree over workers' totals", () => {
  for (const count of [1, 2, 3, 4, 5, 8, 9]) {
    it(`adds up to the deposit from each of ${count} leaves`, () => {
      const shares = Array.from({ length: count }, (_, i) => ({
        worker: worker(1000 - i),
        total: BigInt(7 * i + 1),
      }));
      const all = contributionsOf(shares);
      const deposit = shares.reduce((sum, { total }) => sum + total, 0n);
      assert.deepEqual([all.workers, all.deposit], [count, deposit]);
      for (const { worker } of shares) {
        const levels = Math.ceil(Math.log2(count));
        assert.deepEqual(topOf(all, worker), { node: all.top, sum: deposit, levels });
      }
    });
  }

  it("leaves out who has no share, and does not say where a stranger stands", () => {
    const all = contributionsOf([
      { worker: worker(1), total: 5n },
      { worker: worker(2), total: 0n },
      { worker: worker(3), total: 6n },
      { worker: worker(4), total: 7n },
    ]);
    assert.equal(all.workers, 3);
    assert.equal(all.find(worker(2)), undefined);
    assert.equal(all.find(worker(9)), undefined);
    assert.deepEqual(all.find(worker(4))!.proof[0], { node: zeroHash, sum: 0n });
    assert.throws(() => contributionsOf([{ worker: worker(1), total: 0n }]), BadInputError);
  });
});
