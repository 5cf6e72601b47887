import { Badge, type Tone } from "../../ui/badge.tsx";
import { Account, Time, Transaction } from "../../ui/values.tsx";
import styles from "./dispute.module.css";
import { type Challenge, type Extent, extentOf, levelsOf } from "./dispute-levels.ts";
import { DisputedNumber } from "./disputed-number.tsx";
import type { HistoryEvent } from "./job-events.ts";
import { useRuling } from "./ruling.ts";

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

/** A dispute, drawn as it was narrowed. */
export function Dispute({
  challenge,
  events,
  run,
}: {
  challenge: Challenge;
  events: readonly HistoryEvent[];
  /** Steps of the training, and of its intervals. */
  run: Pick<Extent, "steps" | "size">;
}) {
  const [word, tone] = outcomes[challenge.status];
  const ruling = useRuling(challenge.id, events);
  const levels = levelsOf(challenge, extentOf(challenge.id, events, run), ruling.read.data ?? undefined);
  return (
    <article className={styles.dispute}>
      <p className={styles.head}>
        <Badge tone={tone}>{word}</Badge>
        <span>
          Challenged by <Account address={challenge.challenger.id} />, in {challenge.moves.length} moves.
        </span>
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
      <DisputedNumber ruling={ruling} />
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
