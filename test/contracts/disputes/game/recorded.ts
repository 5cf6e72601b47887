/** Moves of players as they were made on a chain, for tests that have none. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Hex, keccak256 } from "viem";
import { encodeMove, type Move, type Round } from "../../../../keepers/src/training/dispute/moves.ts";
import type { Answer } from "../../../../keepers/src/training/dispute/posted.ts";
import type { LiarJob } from "./liars.ts";

/** What a player saw and what it did; the arguments of long moves by their hash. */
export type RecordedMove = {
  readonly round: Round;
  /** The provider's moves before it, as the chain shows them. */
  readonly answers: readonly Answer[];
  /** Null where it had none. */
  readonly move: { readonly name: string; readonly hash: Hex } | null;
};

/** A dispute over a run of a job, with a lie that a number draws. */
export type RecordedDispute = { readonly job: LiarJob; readonly run: number; readonly moves: RecordedMove[] };

const path = join(import.meta.dirname, "../../../vectors/dispute-moves.json");

export function recordMove(round: Round, answers: readonly Answer[], move: Move | undefined): RecordedMove {
  const hash = move && keccak256(encodeMove(round, move));
  return { round, answers, move: move === undefined ? null : { name: move.name, hash: hash! } };
}

/** In the file, answers stand once, with the move that they came by. */
export function writeRecord(disputes: readonly RecordedDispute[]): void {
  const short = disputes.map(({ job, run, moves }) => ({
    job,
    run,
    moves: moves.map(({ round, answers, move }, i) => {
      const known = moves[i - 1]?.answers.length ?? 0;
      const added = answers
        .slice(known)
        .map(({ selector, arguments: args }) => ({ selector, arguments: args }));
      return { round, added, move };
    }),
  }));
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);
  writeFileSync(path, `[\n${short.map((dispute) => JSON.stringify(dispute, plain)).join(",\n")}\n]\n`);
}

type Written = {
  job: LiarJob;
  run: number;
  moves: { round: Round; added: Omit<Answer, "round">[]; move: RecordedMove["move"] }[];
}[];

/** Moves and the answers before them. */
export function readRecord(): RecordedDispute[] {
  const revive = (_: string, value: unknown) =>
    typeof value === "string" && /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
  const written = JSON.parse(readFileSync(path, "utf8"), revive) as Written;
  return written.map(({ job, run, moves }) => {
    const answers: Answer[] = [];
    return {
      job,
      run,
      moves: moves.map(({ round, added, move }, i) => {
        // An answer was given in the round before.
        answers.push(...added.map((answer) => ({ ...answer, round: moves[i - 1]!.round })));
        return { round, answers: [...answers], move };
      }),
    };
  });
}
