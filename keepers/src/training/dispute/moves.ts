import { type Abi, type Address, concatHex, encodeFunctionData, type Hex, numberToHex } from "viem";
import { depthOf } from "../../core/merkle/binary-tree.ts";
import { type MoveName, moveAbi } from "./abi.ts";
import { levelsDown } from "./nodes.ts";

/** Names of the stages, by their code. */
export const stages = [
  "None",
  "States",
  "Step",
  "Tensors",
  "TensorNodes",
  "Node",
  "Hashes",
  "HashNodes",
  "Leaf",
  "OpenLeaf",
  "Element",
  "Sums",
  "Sum",
  "Witness",
  "Link",
  "TraceName",
  "TraceLeaves",
  "TraceRoots",
  "StateNodes",
  "StateName",
  "MemberLeaves",
  "Closed",
] as const;
export type StageName = (typeof stages)[number];

const owners: { readonly [S in StageName]?: Role } = {
  States: "provider",
  Tensors: "provider",
  TensorNodes: "provider",
  Hashes: "provider",
  HashNodes: "provider",
  OpenLeaf: "provider",
  Sums: "provider",
  Witness: "provider",
  Link: "provider",
  TraceLeaves: "provider",
  TraceRoots: "provider",
  StateNodes: "provider",
  MemberLeaves: "provider",
  TraceName: "challenger",
  Step: "challenger",
  StateName: "challenger",
  Node: "challenger",
  Leaf: "challenger",
  Element: "challenger",
  Sum: "challenger",
};

/** The two parties of a dispute. */
export type Role = "provider" | "challenger";

/** What a provider committed to (`TrainingClaim`), as `Challenged` gives it. */
export type TrainingClaim = {
  readonly provider: Address;
  /** Seconds since 1970. */
  readonly challengeUntil: bigint;
  readonly traceRoot: Hex;
  readonly programRoot: Hex;
  readonly trainingHash: Hex;
  readonly steps: bigint;
  readonly interval: bigint;
  readonly logMicroBatches: bigint;
  readonly nodeCounts: readonly [bigint, bigint, bigint];
  readonly witnessNode: bigint;
  readonly slots: bigint;
};

/** Where a challenge stands (`Position`), as `Moved` gives it. */
export type Position = {
  readonly stateBefore: Hex;
  readonly stateAfter: Hex;
  readonly firstStep: bigint;
  readonly steps: bigint;
  readonly witnesses: Hex;
  readonly tensors: Hex;
  readonly place: bigint;
  readonly commitment: Hex;
  readonly descriptor: Hex;
  readonly node: Hex;
  readonly level: bigint;
  readonly index: bigint;
  readonly leaves: bigint;
  readonly exponent: bigint;
  readonly claim: bigint;
  readonly out: bigint;
  readonly from: bigint;
  readonly to: bigint;
  readonly total: bigint;
  readonly sums: Hex;
};

/** All that decides a move: the claim from `Challenged`, the rest from the last `Moved`. */
export type Round = {
  readonly stage: number;
  readonly interval: bigint;
  readonly position: Position;
  readonly claim: TrainingClaim;
};

/** Codes of `RuleBook`: the contract that has a move. */
export const books = { descent: 0, element: 1, sum: 2, range: 3, input: 4 } as const;
export type Book = keyof typeof books;

/** A move: a function of a book, and its arguments after the round. */
export type Move = { readonly book: Book; readonly name: MoveName; readonly args: readonly unknown[] };

/** A move of the book that goes down to a leaf. */
export function descent(name: MoveName, ...args: unknown[]): Move {
  return { book: "descent", name, args };
}

/** Codes of `Claims`. */
export const claims = { mantissa: 0n, exponent: 1n, witness: 2n } as const;

export function stageOf({ stage }: Round): StageName {
  return stages[stage] ?? "None";
}

/** Whose turn it is; undefined when the challenge is over. */
export function ownerOf(round: Round): Role | undefined {
  return owners[stageOf(round)];
}

/** What `play` takes: the call of a move. */
export function encodeMove(round: Round, { name, args }: Move): Hex {
  return encodeFunctionData({ abi: moveAbi as Abi, functionName: name, args: [round, ...args] });
}

/** Interval of a challenge that has none yet. */
export const noInterval = 2n ** 32n - 1n;

/** Leaves that the parts end at into which a search cuts what it stands at: state roots of all but the last are asked for. */
export function searchedLeaves({ from, to }: Pick<Position, "from" | "to">): number[] {
  const [first, end] = [Number(from), Number(to)];
  const span = end - first;
  const stride = Math.ceil(span / 2 ** levelsDown(depthOf(span), span));
  return Array.from({ length: Math.ceil(span / stride) }, (_, i) => Math.min(first + (i + 1) * stride, end));
}

/** State roots that stand for so many steps, and how many steps apart. */
export function checkpointsOf(steps: number): { readonly count: number; readonly width: number } {
  const width = Math.ceil(steps / 32);
  return { count: Math.ceil(steps / width), width };
}

/** Steps done at each of the state roots that are posted for `steps` steps from `first`. */
export function checkpointSteps(first: number, steps: number): number[] {
  const { count, width } = checkpointsOf(steps);
  return Array.from({ length: count }, (_, i) => first + Math.min((i + 1) * width, steps));
}

/** Products [from, to) of a sum. */
export type ProductRange = { readonly from: number; readonly to: number };

/** The ranges that products are cut into: 64 at most, equal but for the last. */
export function rangesOf({ from, to }: ProductRange): ProductRange[] {
  const width = Math.ceil((to - from) / 64);
  return Array.from({ length: Math.ceil((to - from) / width) }, (_, i) => ({
    from: from + i * width,
    to: Math.min(from + (i + 1) * width, to),
  }));
}

const sumBytes = 8;

/** Sums as they are posted: 8 bytes each, two's complement. */
export function packSums(sums: readonly bigint[]): Hex {
  return concatHex(sums.map((sum) => numberToHex(sum, { size: sumBytes, signed: true })));
}

export function unpackSums(packed: Hex): bigint[] {
  const count = (packed.length - 2) / (2 * sumBytes);
  return Array.from({ length: count }, (_, i) => {
    const start = 2 + 2 * sumBytes * i;
    return BigInt.asIntN(64, BigInt(`0x${packed.slice(start, start + 2 * sumBytes)}`));
  });
}
