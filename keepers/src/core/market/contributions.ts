import { type Address, encodePacked, type Hex, keccak256, type TypedDataDomain, zeroHash } from "viem";
import { BadInputError } from "../errors.ts";

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

/** A node of the tree over all totals: its hash, and the sum of the totals below it. */
export type SumNode = { readonly node: Hex; readonly sum: bigint };

/** What `claim` and `answer` take. */
export type ProvenShare = Contribution & { readonly index: number; readonly proof: readonly SumNode[] };

/** What a round is settled with: one tree over all totals, and who stands where in it. */
export type Contributions = {
  /** Its top, which the contract binds to the deposit. */
  readonly top: Hex;
  readonly workers: number;
  /** Sum of all totals. */
  readonly deposit: bigint;
  /** Undefined for a worker that has no share. */
  find(worker: Address): ProvenShare | undefined;
};

const absent: SumNode = { node: zeroHash, sum: 0n };

/** keccak256(0x01 ‖ left ‖ sum below it ‖ right ‖ sum below it), and the sum of both. */
function above(left: SumNode, right: SumNode): SumNode {
  const node = keccak256(
    encodePacked(
      ["bytes1", "bytes32", "uint256", "bytes32", "uint256"],
      ["0x01", left.node, left.sum, right.node, right.sum],
    ),
  );
  return { node, sum: left.sum + right.sum };
}

/**
 * The tree over keccak256(0x00 ‖ worker ‖ total) that adds up (contracts/jobs/WorkerRewards.sol), workers ascending; shares of
 * nothing are left out.
 * @throws BadInputError when nobody has a share
 */
export function contributionsOf(all: readonly Contribution[]): Contributions {
  const shares = all
    .filter(({ total }) => total > 0n)
    .sort((a, b) => (a.worker.toLowerCase() < b.worker.toLowerCase() ? -1 : 1));
  if (shares.length === 0) throw new BadInputError("nobody contributed anything");
  const leaves = shares.map(({ worker, total }): SumNode => {
    const leaf = encodePacked(["bytes1", "address", "uint128"], ["0x00", worker, total]);
    return { node: keccak256(leaf), sum: total };
  });
  const places = new Map(shares.map(({ worker }, place) => [worker.toLowerCase(), place]));
  const levels = [leaves];
  for (let level = leaves; level.length > 1; levels.push(level)) {
    const below = level;
    level = below.filter((_, i) => i % 2 === 0).map((left, i) => above(left, below[2 * i + 1] ?? absent));
  }
  const [{ node: top, sum: deposit }] = levels.at(-1)! as [SumNode];
  return {
    top,
    workers: shares.length,
    deposit,
    find(worker) {
      const index = places.get(worker.toLowerCase());
      if (index === undefined) return undefined;
      const proof = levels.slice(0, -1).map((level, i) => level[(index >> i) ^ 1] ?? absent);
      return { ...shares[index]!, index, proof };
    },
  };
}
