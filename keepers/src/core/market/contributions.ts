import {
  type Address,
  bytesToHex,
  concat,
  encodePacked,
  type Hex,
  hexToBytes,
  keccak256,
  type TypedDataDomain,
} from "viem";
import { BadInputError } from "../errors.ts";
import { BinaryTree } from "../merkle/binary-tree.ts";

/** The `WorkerRewards` contract in which a running total counts. */
export type RewardsDomain = { readonly chainId: number; readonly rewards: Address };

/** What a provider owes a worker for a job, since its beginning. */
export type RunningTotal = {
  readonly jobId: bigint;
  readonly worker: Address;
  /** Base units of the token. */
  readonly total: bigint;
};

const name = "Assay Workers";
const version = "1";
const runningTotalTypes = {
  RunningTotal: [
    { name: "jobId", type: "uint256" },
    { name: "worker", type: "address" },
    { name: "total", type: "uint128" },
  ],
} as const;
const joiningTypes = {
  Joining: [
    { name: "peer", type: "string" },
    { name: "provider", type: "string" },
  ],
} as const;

/** EIP-712 message by which a provider countersigns a worker's total: that of contracts/jobs/WorkerRewards.sol. */
export function runningTotalTypedData(message: RunningTotal, { chainId, rewards }: RewardsDomain) {
  const domain: TypedDataDomain = { name, version, chainId, verifyingContract: rewards };
  return { domain, types: runningTotalTypes, primaryType: "RunningTotal", message } as const;
}

/** EIP-712 message by which an account says that a peer works for it, to one provider's peer. */
export function joiningTypedData(message: { readonly peer: string; readonly provider: string }) {
  const domain: TypedDataDomain = { name, version };
  return { domain, types: joiningTypes, primaryType: "Joining", message } as const;
}

export type Contribution = { readonly worker: Address; readonly total: bigint };

/** What a round is settled with: one root over all totals, and who stands where under it. */
export type Contributions = {
  readonly root: Hex;
  readonly workers: number;
  /** Sum of all totals. */
  readonly deposit: bigint;
  /** What `claim` and `answer` take; undefined for a worker that has no share. */
  find(
    worker: Address,
  ): (Contribution & { readonly index: number; readonly proof: readonly Hex[] }) | undefined;
};

/**
 * The tree over keccak256(0x00 ‖ worker ‖ total), workers ascending; shares of nothing are left out.
 * @throws BadInputError when nobody has a share
 */
export function contributionsOf(all: readonly Contribution[]): Contributions {
  const shares = all
    .filter(({ total }) => total > 0n)
    .sort((a, b) => (a.worker.toLowerCase() < b.worker.toLowerCase() ? -1 : 1));
  if (shares.length === 0) throw new BadInputError("nobody contributed anything");
  const hashes = shares.map(({ worker, total }) =>
    keccak256(encodePacked(["bytes1", "address", "uint128"], ["0x00", worker, total])),
  );
  const tree = new BinaryTree(hexToBytes(concat(hashes)));
  return {
    root: bytesToHex(tree.root),
    workers: shares.length,
    deposit: shares.reduce((sum, { total }) => sum + total, 0n),
    find(worker) {
      const index = shares.findIndex((share) => share.worker.toLowerCase() === worker.toLowerCase());
      return index < 0
        ? undefined
        : { ...shares[index]!, index, proof: tree.proof(index).map((hash) => bytesToHex(hash)) };
    },
  };
}
