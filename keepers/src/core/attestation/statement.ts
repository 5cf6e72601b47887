import {
  concat,
  encodeAbiParameters,
  type Hex,
  hexToBigInt,
  hexToBytes,
  keccak256,
  numberToHex,
  stringToHex,
  toHex,
} from "viem";
import { AssayError } from "../errors.ts";
import { BinaryTree } from "../merkle/binary-tree.ts";
import { hashBytes } from "../merkle/keccak.ts";
import { type BlsKey, type G1Words, possessionDomain, sign, signatureDomain } from "./bls.ts";

/** What members of a committee compute, hash and sign: the formulas of `contracts/attestation/AttestationMath.sol`. */

const statementTag = keccak256(stringToHex("assay/attestation/v1"));
const digestTag = keccak256(stringToHex("assay/digest/v2"));
const possessionTag = keccak256(stringToHex("assay/possession/v1"));

/** What every hash is bound to: the chain, and the contract that checks it. */
export type Place = { readonly chainId: bigint; readonly contract: Hex };

/** A draw of a job, as its events give it. */
export type DrawnCommittee = Place & {
  readonly jobId: bigint;
  /** From 1. */
  readonly attempt: bigint;
  readonly seed: Hex;
  readonly traceRoot: Hex;
  readonly intervals: number;
  /** Intervals that the contract gives each member at most. */
  readonly checks: number;
  /** Ids of the validators; the index is the position. */
  readonly members: readonly bigint[];
};

/** One interval of one member, and what it says of it. */
export type SignedLeaf = {
  readonly position: number;
  readonly interval: number;
  readonly digest: Hex;
};

/** A statement that a member must not sign. */
export class UnsoundStatementError extends AssayError {
  override readonly name: string = "UnsoundStatementError";
}

/** Intervals of the member at a position, ascending: one from each of `checks` equal parts of the trace. */
export function intervalsOf(draw: DrawnCommittee, position: number): number[] {
  const count = Math.min(draw.checks, draw.intervals);
  return Array.from({ length: count }, (_, number) => {
    const first = Math.floor((number * draw.intervals) / count);
    const width = Math.floor(((number + 1) * draw.intervals) / count) - first;
    const hash = keccak256(
      encodeAbiParameters(
        [{ type: "bytes32" }, { type: "uint256" }, { type: "uint256" }],
        [draw.seed, BigInt(position), BigInt(number)],
      ),
    );
    return first + Number(hexToBigInt(hash) % BigInt(width));
  });
}

/** keccak256 of the witness commitments of an interval's steps, in order. */
export function witnessesHash(witnesses: readonly Hex[]): Hex {
  return keccak256(concat([...witnesses]));
}

/**
 * A member's word on an interval.
 * @param member id of the validator
 */
export function digestOf(
  { chainId, contract }: Place,
  jobId: bigint,
  member: bigint,
  interval: number,
  witnessHash: Hex,
): Hex {
  const prefix = keccak256(
    encodeAbiParameters(
      [
        { type: "bytes32" },
        { type: "uint256" },
        { type: "address" },
        { type: "uint256" },
        { type: "uint256" },
        { type: "uint256" },
      ],
      [digestTag, chainId, contract, jobId, member, BigInt(interval)],
    ),
  );
  return keccak256(concat([prefix, witnessHash]));
}

/** Leaf under the root that members sign. */
export function leafOf(member: bigint, interval: number, digest: Hex): Hex {
  const words = [member, BigInt(interval)].map((word) => numberToHex(word, { size: 32 }));
  return keccak256(concat(["0x00", ...words, digest]));
}

/** Mask of positions. */
export function maskOf(positions: Iterable<number>): bigint {
  let mask = 0n;
  for (const position of positions) mask |= 1n << BigInt(position);
  return mask;
}

/**
 * The tree over the leaves of those who will sign.
 * @param leaves in the order of `leavesOf`: position by position, interval by interval
 */
export function statementTree(draw: DrawnCommittee, leaves: readonly SignedLeaf[]): BinaryTree {
  const hashes = new Uint8Array(leaves.length * hashBytes);
  leaves.forEach(({ position, interval, digest }, i) => {
    hashes.set(hexToBytes(leafOf(draw.members[position]!, interval, digest)), i * hashBytes);
  });
  return new BinaryTree(hashes);
}

/** What members sign: one message for all. */
export function messageOf(draw: DrawnCommittee, members: bigint, root: Hex): Hex {
  return keccak256(
    encodeAbiParameters(
      [
        { type: "bytes32" },
        { type: "uint256" },
        { type: "address" },
        { type: "uint256" },
        { type: "uint256" },
        { type: "bytes32" },
        { type: "uint256" },
        { type: "bytes32" },
      ],
      [statementTag, draw.chainId, draw.contract, draw.jobId, draw.attempt, draw.traceRoot, members, root],
    ),
  );
}

/** Whether a draw names every validator once, as the contract draws them. */
export function isWithoutRepeats({ members }: Pick<DrawnCommittee, "members">): boolean {
  return new Set(members).size === members.length;
}

/**
 * What is signed of a statement, after a look at all of it: every leaf stands where the draw puts it, and the signer's own are
 * what it computed.
 * @param own digests of the signer's intervals, in order
 * @throws UnsoundStatementError when the statement would frame the signer, or could not be revealed
 */
export function soundStatement(
  draw: DrawnCommittee,
  position: number,
  own: readonly Hex[],
  leaves: readonly SignedLeaf[],
): { members: bigint; root: Hex } {
  // Two positions of one validator would have it say two things of one interval.
  if (!isWithoutRepeats(draw)) throw new UnsoundStatementError("The draw names a validator twice.");
  const positions = [...new Set(leaves.map((leaf) => leaf.position))];
  const expected = positions
    .toSorted((a, b) => a - b)
    .flatMap((each) => intervalsOf(draw, each).map((interval) => ({ position: each, interval })));
  const isLaidOut =
    expected.length === leaves.length &&
    expected.every(({ position: p, interval }, i) => {
      return leaves[i]!.position === p && leaves[i]!.interval === interval && p < draw.members.length;
    });
  if (!isLaidOut) throw new UnsoundStatementError("The leaves are not those of the draw, in their order.");
  const mine = leaves.filter((leaf) => leaf.position === position);
  const isMine = mine.length === own.length && mine.every(({ digest }, i) => digest === own[i]);
  if (!isMine || mine.length === 0) {
    throw new UnsoundStatementError("The statement does not hold what this member computed.", {
      next: "Send the digests again, and sign only a root over them.",
    });
  }
  return { members: maskOf(positions), root: toHex(statementTree(draw, leaves).root) };
}

/**
 * Signs a statement that was found sound. Whoever signs holds all leaves and can reveal them when nobody else does.
 * @param own digests of the signer's intervals, in order
 * @throws UnsoundStatementError as {@link soundStatement}
 */
export function signStatement(
  secret: bigint,
  draw: DrawnCommittee,
  position: number,
  own: readonly Hex[],
  leaves: readonly SignedLeaf[],
): { members: bigint; root: Hex; signature: G1Words } {
  const { members, root } = soundStatement(draw, position, own, leaves);
  return { members, root, signature: signMessage(secret, draw, members, root) };
}

/** A member's signature of a root over the leaves of these members: only of what is sound. */
export function signMessage(secret: bigint, draw: DrawnCommittee, members: bigint, root: Hex): G1Words {
  return sign(secret, signatureDomain, hexToBytes(messageOf(draw, members, root)));
}

/** What an operator signs to enrol with a key. @param place chain, and the contract of the validators */
export function possessionMessage({ chainId, contract }: Place, operator: Hex, key: BlsKey): Hex {
  return keccak256(
    encodeAbiParameters(
      [
        { type: "bytes32" },
        { type: "uint256" },
        { type: "address" },
        { type: "address" },
        { type: "uint256[2]" },
        { type: "uint256[4]" },
      ],
      [possessionTag, chainId, contract, operator, key.g1, key.g2],
    ),
  );
}

/** Proof that the operator has the secret behind a key. */
export function provePossession(secret: bigint, place: Place, operator: Hex, key: BlsKey): G1Words {
  return sign(secret, possessionDomain, hexToBytes(possessionMessage(place, operator, key)));
}
