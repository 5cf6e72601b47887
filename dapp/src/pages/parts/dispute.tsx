import type { ReactNode } from "react";
import type { WhatWentWrongQuery } from "../../../../subgraph/queries/documents.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Account, Time, Transaction } from "../../ui/values.tsx";
import styles from "./dispute.module.css";
import { type HistoryEvent, parametersOf } from "./job-events.ts";

type Challenge = NonNullable<WhatWentWrongQuery["job"]>["challenges"][number];

/** Interval of a challenge of a whole trace that has none yet. */
const noInterval = String(2n ** 32n - 1n);

const outcomes: Record<Challenge["status"], readonly [words: string, tone: Tone]> = {
  Open: ["Being played", "waiting"],
  Lost: ["The challenger was wrong", "healthy"],
  Convicted: ["The provider was wrong", "wrong"],
  Settled: ["Ended with another", "neutral"],
};

/** Stages of the game by their codes, as what is known when they begin. */
const stageWords: { readonly [stage: number]: string } = {
  1: "The challenger opens the interval",
  2: "The provider posts the states between",
  3: "The challenger names the first wrong step",
  4: "The provider posts the step's tensors",
  5: "The provider posts the step's tensors",
  6: "The challenger names the first wrong tensor",
  7: "The provider posts the tensor's hashes",
  8: "The provider posts the tensor's hashes",
  9: "The challenger names a leaf of the tensor",
  10: "The provider posts the leaf",
  11: "The challenger asks for partial sums",
  12: "The provider posts partial sums",
  13: "The challenger says an exponent is too large",
  14: "A slot of the state is asked about",
  15: "The provider posts state roots of the trace",
  16: "The trace is searched",
  17: "The trace is searched",
  18: "The state's tree is opened",
  19: "The challenger names a part of the state",
};

type Level = { readonly label: string; readonly from: number; readonly width: number };

/** Sizes of what a dispute is narrowed down from: of the whole training, one interval, one step, one tensor. */
export type Extent = {
  readonly steps: number;
  /** Steps of an interval. */
  readonly size: number;
  /** Tensors of a step, and leaves of the tensor; 0 where it is not known yet. */
  readonly tensors: number;
  readonly leaves: number;
};

/** What the events of a dispute say of its extent. */
export function extentOf(
  challenge: string,
  events: readonly HistoryEvent[],
  run: Pick<Extent, "steps" | "size">,
): Extent {
  const own = events
    .filter(({ contract }) => contract === "DisputeGame")
    .map((event) => ({ name: event.name, said: parametersOf<Said>(event) }))
    .filter(({ said }) => said.challengeId === challenge);
  const claim = own.find(({ name }) => name === "Challenged")?.said.claim ?? [];
  const [batch = 0, ...rest] = ((claim[claimFields.nodeCounts] ?? []) as readonly string[]).map(Number);
  const microBatches = 2 ** Number(claim[claimFields.logMicroBatches] ?? 0);
  const leaves = own.map(({ said }) => Number(said.position?.[positionFields.leaves] ?? 0));
  return {
    ...run,
    tensors: rest.reduce((sum, count) => sum + count, batch * microBatches),
    leaves: Math.max(0, ...leaves),
  };
}

/** What is read of the game's events: structures come as lists of their fields. */
type Said = {
  readonly challengeId: string;
  readonly claim?: readonly (string | readonly string[])[];
  readonly position?: readonly string[];
};

/** Places of fields in `TrainingClaim` and `Position` of contracts/disputes/interfaces/IDisputeRules.sol. */
const claimFields = { logMicroBatches: 7, nodeCounts: 8 } as const;
const positionFields = { leaves: 12 } as const;

/** What the game was narrowed to, each level a part of the one above. */
export function levelsOf({ interval, firstStep, place, index, moves }: Challenge, extent: Extent): Level[] {
  if (interval === noInterval) return [];
  const { steps, size, tensors, leaves } = extent;
  const intervals = Math.ceil(steps / size);
  const part = (at: number, of: number): Omit<Level, "label"> => {
    const among = Math.max(of, at + 1);
    return { from: at / among, width: 1 / among };
  };
  const reached = (stage: number) => moves.some((move) => move.stage === stage);
  const levels: Level[] = [
    { label: `The training: ${steps.toLocaleString("en")} steps`, from: 0, width: 1 },
    { label: `Interval ${interval} of ${intervals}`, ...part(Number(interval), intervals) },
  ];
  if (reached(3)) {
    const inside = Number(firstStep) - Number(interval) * size;
    levels.push({ label: `Step ${firstStep}, one of ${size}`, ...part(inside, size) });
  }
  if (reached(6))
    levels.push({ label: `Tensor ${place}, one of ${tensors}`, ...part(Number(place), tensors) });
  if (reached(9)) levels.push({ label: `Leaf ${index}, one of ${leaves}`, ...part(Number(index), leaves) });
  return levels;
}

/** A dispute, drawn as it was narrowed. */
export function Dispute({
  challenge,
  extent,
  children,
}: {
  challenge: Challenge;
  extent: Extent;
  children?: ReactNode;
}) {
  const [word, tone] = outcomes[challenge.status];
  const levels = levelsOf(challenge, extent);
  return (
    <article className={styles.dispute}>
      <p className={styles.head}>
        <Badge tone={tone}>{word}</Badge> Challenged by <Account address={challenge.challenger.id} />, in{" "}
        {challenge.moves.length} moves.
      </p>
      <ol className={styles.levels} aria-label="What the dispute was narrowed to">
        {levels.map(({ label, from, width }) => (
          <li key={label} className={styles.level}>
            <span>{label}</span>
            <svg viewBox="0 0 100 6" preserveAspectRatio="none" className={styles.bar} aria-hidden="true">
              <rect className={styles.whole} width="100" height="6" />
              <rect
                className={styles.part}
                x={Math.min(99, 100 * from)}
                width={Math.max(1, 100 * width)}
                height="6"
              />
            </svg>
          </li>
        ))}
      </ol>
      {children}
      <details>
        <summary>Move by move</summary>
        <ol className={styles.moves}>
          {challenge.moves.map(({ number, by, stage, timestamp, transaction }) => (
            <li key={number}>
              <Transaction hash={transaction}>{stageWords[stage] ?? `Stage ${stage}`}</Transaction>, by{" "}
              <Account address={by} />, <Time at={timestamp} />
            </li>
          ))}
        </ol>
      </details>
    </article>
  );
}
