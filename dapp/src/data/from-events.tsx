import { eventsBehind } from "./events-behind.ts";
import styles from "./query-link.module.css";

/** Where figures that were read from the chain come from: the events of the contracts, by their names. */
export default function FromEvents({ query }: { query: string }) {
  const events = eventsBehind[query] ?? [];
  return (
    <details className={styles.events}>
      <summary>From the chain</summary>
      <p>Added up, in this browser, from what the contracts say when something happens:</p>
      <ul>
        {events.map((name) => (
          <li key={name}>
            <code>{name}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
