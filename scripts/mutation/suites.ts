/** How much of a suite is run: a first try for every mutant, and all of it for those that are left. */
export type Effort = "quick" | "full";

/** What a run on the original contracts says about a suite. */
export type Explored = {
  /** The mutants that it reaches. */
  reached: number[];
  /** Numbers of the tests that fail without a mutant, and are not run with one. */
  failing: number[];
  /** Processor time that a quick run takes, in milliseconds: it is the same on a busy machine. */
  milliseconds: number;
  /** The gas that a test may spend, in decimal digits: a mutant that does not end must not take for ever. */
  gas: string;
};

/** One try of one mutant; `failing` and `gas` are those that were explored. */
export type Attempt = {
  suite: string;
  mutant: number;
  effort: Effort;
  failing: number[];
  gas: string;
};

/** What runs suites of one kind: contracts of Solidity tests, or files of TypeScript tests. */
export type Runner = {
  /** Rejects when the suite fails on the original contracts. */
  explore(suite: string): Promise<Explored>;
  /** Whether the suite fails when a mutant is on. */
  kills(attempt: Attempt): Promise<boolean>;
};

/** Processor time of this process since then, in milliseconds. */
export function processorTime(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
}

export type Kind = "solidity" | "nodejs";
/** `milliseconds` is the processor time that an attempt may take. */
export type Request = { explore: string } | { attempt: Attempt; milliseconds: number };
/** `memory` is what the worker holds, in bytes. */
export type Reply = { memory: number; explored?: Explored; killed?: boolean; error?: string };
