/** The moves of a dispute and the rounds they answer, as the game encodes them. */
import { type Abi, concatHex, encodeFunctionData, type Hex, numberToHex } from "viem";

/** Codes of `Stage`. */
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
  "TraceNodes",
  "TraceName",
  "TraceLeaves",
  "Closed",
] as const;
export type StageName = (typeof stages)[number];

export const providerStages: ReadonlySet<StageName> = new Set<StageName>([
  "States",
  "Tensors",
  "TensorNodes",
  "Hashes",
  "HashNodes",
  "OpenLeaf",
  "Sums",
  "Witness",
  "Link",
  "TraceNodes",
  "TraceLeaves",
]);

/** The round as the game emits it. */
export type Round = {
  stage: number;
  interval: bigint;
  position: {
    stateBefore: Hex;
    stateAfter: Hex;
    firstStep: bigint;
    steps: bigint;
    place: bigint;
    level: bigint;
    index: bigint;
    leaves: bigint;
    exponent: bigint;
    claim: bigint;
    out: bigint;
    from: bigint;
    to: bigint;
    total: bigint;
    sums: Hex;
  };
};

/** Codes of `RuleBook`. */
export const books = { descent: 0, element: 1, sum: 2, range: 3, input: 4 } as const;
export type Book = keyof typeof books;
export type Move = { readonly book: Book; readonly name: string; readonly args: readonly unknown[] };

export type Abis = { readonly [B in Book]: Abi };

export const encodeMove = (abis: Abis, round: Round, { book, name, args }: Move): Hex =>
  encodeFunctionData({ abi: abis[book], functionName: name, args: [round, ...args] });

export const emptyEvidence = {
  descriptor: "0x" as Hex,
  out: 0n,
  leaf: "0x" as Hex,
  operands: "0x" as Hex,
  proofs: [] as Hex[][],
  store: "0x" as Hex,
  storeProof: [] as Hex[],
  order: "0x" as Hex,
};
export type Evidence = typeof emptyEvidence;

/** Steps of one round of state roots. */
export function checkpoints(steps: number): { count: number; width: number } {
  const width = Math.ceil(steps / 32);
  return { count: Math.ceil(steps / width), width };
}

export function rangesOf(from: number, to: number): { from: number; to: number }[] {
  const width = Math.ceil((to - from) / 64);
  return Array.from({ length: Math.ceil((to - from) / width) }, (_, i) => ({
    from: from + i * width,
    to: Math.min(from + (i + 1) * width, to),
  }));
}

export const packSums = (sums: readonly bigint[]): Hex =>
  concatHex(sums.map((sum) => numberToHex(sum, { size: 8, signed: true })));

/** Whether an element's operands are few enough to open them together. */
export const opensAtOnce = ({ operands }: Evidence): boolean => (operands.length - 2) / 2 <= 9_000;
