import { Time, Transaction } from "../../ui/values.tsx";
import type { HistoryEvent } from "./job-events.ts";
import styles from "./life.module.css";
import { lifeOf } from "./life-steps.ts";

/** The life of a job, from its order to its end, with the transaction of each step. */
export function Life({ events, isAttestable }: { events: readonly HistoryEvent[]; isAttestable: boolean }) {
  const life = lifeOf(events, isAttestable);
  const isOver = life.at(-1)?.event !== undefined;
  return (
    <ol className={styles.life}>
      {life.map(({ name, kind, event }) => (
        <li key={name} className={`${styles.step} ${styles[kind] ?? ""}`}>
          <span className={styles.name}>{name}</span>
          <span className={styles.when}>
            {event === undefined ? (
              isOver ? (
                "did not happen"
              ) : (
                "still to come"
              )
            ) : (
              <Transaction hash={event.transaction}>
                <Time at={event.timestamp} />
              </Transaction>
            )}
          </span>
        </li>
      ))}
    </ol>
  );
}
