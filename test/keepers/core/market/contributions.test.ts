import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Address,
  concat,
  encodeAbiParameters,
  encodePacked,
  type Hex,
  hashTypedData,
  keccak256,
  toHex,
  zeroHash,
} from "viem";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  contributionsOf,
  joiningTypedData,
  runningTotalTypedData,
} from "../../../../keepers/src/core/market/contributions.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("market/contributions");

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
    throws(() => contributionsOf([{ worker: worker(1), total: 0n }]), BadInputError);
  });
});

describe("what is signed about contributions", () => {
  const hashed = (text: string) => keccak256(toHex(text));
  const words = (types: string, values: readonly unknown[]): Hex =>
    keccak256(
      encodeAbiParameters(
        types.split(" ").map((type) => ({ type })),
        values,
      ),
    );
  const signed = (domain: Hex, struct: Hex) => keccak256(concat(["0x1901", domain, struct]));

  it("is a running total of EIP-712, bound to the contract and the chain", () => {
    const domain = words("bytes32 bytes32 bytes32 uint256 address", [
      hashed("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
      ...[hashed("Assay Workers"), hashed("1"), 31_337n, worker(9)],
    ]);
    const struct = words("bytes32 uint256 address uint128", [
      hashed("RunningTotal(uint256 jobId,address worker,uint128 total)"),
      ...[7n, worker(3), 55n],
    ]);
    const message = { jobId: 7n, worker: worker(3), total: 55n };
    const typed = runningTotalTypedData(message, { chainId: 31_337, rewards: worker(9) });
    assert.equal(hashTypedData(typed), signed(domain, struct));
  });

  it("is a peer's word for its account, bound to no chain", () => {
    const domain = words("bytes32 bytes32 bytes32", [
      hashed("EIP712Domain(string name,string version)"),
      ...[hashed("Assay Workers"), hashed("1")],
    ]);
    const struct = words("bytes32 bytes32 bytes32", [
      hashed("Joining(string peer,string provider)"),
      ...[hashed("12D3a"), hashed("12D3b")],
    ]);
    const typed = joiningTypedData({ peer: "12D3a", provider: "12D3b" });
    assert.equal(hashTypedData(typed), signed(domain, struct));
  });
});
