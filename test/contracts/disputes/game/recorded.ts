/** Moves of players as they were made on a chain, for tests that have none. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Hex, keccak256, zeroHash } from "viem";
import {
  type Book,
  encodeMove,
  type Move,
  type Position,
  type Round,
  type TrainingClaim,
} from "../../../../keepers/src/training/dispute/moves.ts";
import type { Answer } from "../../../../keepers/src/training/dispute/posted.ts";
import type { LiarJob } from "./liars.ts";

/** What a player saw and what it did; the arguments of long moves by their hash. */
export type RecordedMove = {
  readonly round: Round;
  /** The provider's moves before it, as the chain shows them. */
  readonly answers: readonly Answer[];
  /** Null where it had none. */
  readonly move: { readonly book: Book; readonly name: string; readonly hash: Hex } | null;
  /** Of a move that a test chose in the place of the player's. */
  readonly isPicked?: boolean;
};

/** What a dispute was about, and its moves. */
export type Recorded<About extends object> = About & { readonly moves: RecordedMove[] };

/** A dispute over a run of a job, with a lie that a number draws. */
export type RecordedDispute = Recorded<{ readonly job: LiarJob; readonly run: number }>;
/** A dispute that was planned. */
export type RecordedPlay = Recorded<{ readonly play: string }>;

/** The file of what was recorded by a name. */
const recordPath = (name: string): string => join(import.meta.dirname, "../../../vectors", `${name}.json`);
/** Whether tests on a chain write down what they see. */
export const isRecording = process.env.ASSAY_RECORD_ROUNDS === "1";

export function recordMove(
  round: Round,
  answers: readonly Answer[],
  move: Move | undefined,
  isPicked = false,
): RecordedMove {
  const hash = move && keccak256(encodeMove(round, move));
  const made = move === undefined ? null : { book: move.book, name: move.name, hash: hash! };
  return { round, answers, move: made, ...(isPicked && { isPicked }) };
}

/** Where every challenge begins. */
const nowhere: Position = {
  ...{ stateBefore: zeroHash, stateAfter: zeroHash, firstStep: 0n, steps: 0n, witnesses: zeroHash },
  ...{ tensors: zeroHash, place: 0n, commitment: zeroHash, descriptor: zeroHash, node: zeroHash, level: 0n },
  ...{ index: 0n, leaves: 0n, exponent: 0n, claim: 0n, out: 0n, from: 0n, to: 0n, total: 0n, sums: zeroHash },
};

type WrittenMove = Pick<RecordedMove, "move" | "isPicked"> &
  Pick<Round, "stage" | "interval"> & {
    /** What is another than in the round before. */
    readonly position: Partial<Position>;
    /** Answers since the move before. */
    readonly added: readonly Omit<Answer, "round">[];
  };
type Written<About extends object> = About & {
  readonly claim: TrainingClaim | undefined;
  readonly moves: readonly WrittenMove[];
};

/** In the file all stands once: the claim, answers with the move that they came by, of rounds what changed. */
export function writeRecord<About extends object>(name: string, disputes: readonly Recorded<About>[]): void {
  const short = disputes.map(({ moves, ...about }) => ({
    ...about,
    claim: moves[0]?.round.claim,
    moves: moves.map(({ round: { stage, interval, position }, answers, move, isPicked }, i) => {
      const before: Readonly<Record<string, unknown>> = moves[i - 1]?.round.position ?? nowhere;
      const changed = Object.entries(position).filter(([field, value]) => value !== before[field]);
      const added = answers
        .slice(moves[i - 1]?.answers.length ?? 0)
        .map(({ selector, arguments: args }) => ({ selector, arguments: args }));
      return { stage, interval, position: Object.fromEntries(changed), added, move, isPicked };
    }),
  }));
  writeLines(name, short);
}

/** Writes a list, an item to a line. */
export function writeLines(name: string, items: readonly object[]): void {
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);
  const lines = items.map((item) => JSON.stringify(item, plain));
  writeFileSync(recordPath(name), `[\n${lines.join(",\n")}\n]\n`);
}

/** Reads what `writeLines` wrote. */
export function readLines<T>(name: string): T[] {
  const revive = (_: string, value: unknown) =>
    typeof value === "string" && /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
  return JSON.parse(readFileSync(recordPath(name), "utf8"), revive) as T[];
}

/** Moves and the answers before them. */
export function readRecord<About extends object>(name: string): Recorded<About>[] {
  return readLines<Written<About>>(name).map(({ claim, moves, ...about }) => {
    const answers: Answer[] = [];
    const rounds: Round[] = [];
    const read = moves.map(({ stage, interval, position, added, ...made }, i): RecordedMove => {
      const before = rounds[i - 1];
      // An answer was given in the round before.
      if (before !== undefined) answers.push(...added.map((answer) => ({ ...answer, round: before })));
      const round = {
        stage,
        interval,
        claim: claim!,
        position: { ...(before?.position ?? nowhere), ...position },
      };
      rounds.push(round);
      return { round, answers: [...answers], ...made };
    });
    return { ...(about as unknown as About), moves: read };
  });
}
