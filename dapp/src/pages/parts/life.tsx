import { Time, Transaction } from "../../ui/values.tsx";
import type { HistoryEvent } from "./job-events.ts";
import styles from "./life.module.css";

const steps = [
  { name: "Opened", event: "JobRegistry.JobOpened" },
  { name: "Matched", event: "JobRegistry.JobMatched" },
  { name: "Training", event: "JobRegistry.JobLocked" },
  { name: "Committed", event: "JobRegistry.JobCommitted" },
  { name: "Attested", event: "JobRegistry.JobAttested" },
] as const;

const ends: { readonly [event: string]: readonly [name: string, kind: "good" | "bad" | "over"] } = {
  "JobRegistry.JobFinalised": ["Paid and certified", "good"],
  "JobRegistry.JobFailed": ["Failed", "bad"],
  "JobRegistry.JobVoided": ["Void", "over"],
  "JobRegistry.JobCancelled": ["Cancelled", "over"],
  "JobRegistry.JobExpired": ["Expired", "over"],
};

/** The life of a job, from its order to its end, with the transaction of each step. */
export function Life({ events, isAttestable }: { events: readonly HistoryEvent[]; isAttestable: boolean }) {
  const last = (wanted: string) => events.findLast(({ contract, name }) => `${contract}.${name}` === wanted);
  const end = events.findLast(({ contract, name }) => `${contract}.${name}` in ends);
  const shown = steps
    .filter(({ event }) => isAttestable || event !== "JobRegistry.JobAttested")
    .map(({ name, event }) => ({ name, event: last(event) }));
  return (
    <ol className={styles.life}>
      {shown.map(({ name, event }) => (
        <li key={name} className={`${styles.step} ${event === undefined ? styles.open : styles.done}`}>
          <span className={styles.name}>{name}</span>
          <When event={event} isOver={end !== undefined} />
        </li>
      ))}
      <li
        className={`${styles.step} ${end === undefined ? styles.open : styles[ends[`${end.contract}.${end.name}`]![1]]}`}
      >
        <span className={styles.name}>
          {end === undefined ? "Paid and certified" : ends[`${end.contract}.${end.name}`]![0]}
        </span>
        <When event={end} isOver={false} />
      </li>
    </ol>
  );
}

function When({ event, isOver }: { event: HistoryEvent | undefined; isOver: boolean }) {
  if (event === undefined)
    return <span className={styles.when}>{isOver ? "did not happen" : "still to come"}</span>;
  return (
    <span className={styles.when}>
      <Transaction hash={event.transaction}>
        <Time at={event.timestamp} />
      </Transaction>
    </span>
  );
}
