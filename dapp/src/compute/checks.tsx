import type { Check, IntervalVerdict } from "../engine/methods.ts";
import { Badge, Notice } from "../ui/badge.tsx";
import { Id } from "../ui/values.tsx";
import styles from "./compute.module.css";

const names: Record<Check["name"], string> = {
  program: "Program",
  objects: "Data",
  trace: "Trace",
  "known state": "Where it begins",
  "state before": "State before the interval",
  "state after": "State after the interval",
  witnesses: "Witnesses",
};

/** What was compared, with the two values where they differ. */
export function Checks({ checks }: { checks: readonly Check[] }) {
  return (
    <ul className={styles.checks}>
      {checks.map(({ name, holds, how, claimed, found }) => (
        <li key={name} className={styles.check}>
          <Badge tone={holds ? "healthy" : "wrong"}>{holds ? "Holds" : "Does not hold"}</Badge>
          <strong>{names[name]}</strong>
          <p>{how}</p>
          {claimed !== undefined && (
            <span className={styles.roots}>
              <span>
                claimed <Id hex={claimed} />
              </span>
              {found !== undefined && (
                <span>
                  found <Id hex={found} />
                </span>
              )}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

const tones = { right: "healthy", wrong: "wrong", unusable: "waiting" } as const;
const words: Record<IntervalVerdict["verdict"], string> = {
  right: "Computed again in your browser, every bit of every weight is what the provider committed to.",
  wrong: "Computed again in your browser, it comes out otherwise than the provider said.",
  unusable: "What was handed over is not what the order and the trace name: nothing can be said of it.",
};

/** What came of an interval that was computed again. */
export function Verdict({ verdict }: { verdict: IntervalVerdict }) {
  const { interval, firstStep, steps, checks } = verdict;
  const where = `Interval ${interval}, steps ${firstStep + 1} to ${firstStep + steps}`;
  return (
    <>
      <Notice tone={tones[verdict.verdict]} title={`${where}: ${verdict.verdict}`}>
        {words[verdict.verdict]}
      </Notice>
      <Checks checks={checks} />
    </>
  );
}
