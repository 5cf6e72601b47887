import { AssayError } from "../../../keepers/src/core/errors.ts";
import type { Progress } from "../engine/protocol.ts";
import { Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { messageOf } from "../ui/message.ts";
import styles from "./compute.module.css";

const stages: Record<Progress["stage"], string> = {
  reading: "Reading",
  encoding: "Encoding",
  sending: "Sending",
  loading: "Fetching",
  checking: "Checking",
  computing: "Computing",
};

/** How far something is, with a way to give it up where there is one. */
export function Working({ progress, cancel }: { progress: Progress | undefined; cancel?: () => void }) {
  const { stage, done = 0, total, unit } = progress ?? {};
  const words =
    stage === undefined
      ? "Starting"
      : `${stages[stage]}: ${done.toLocaleString("en")}${total === undefined ? "" : ` of ${total.toLocaleString("en")}`} ${unit}`;
  return (
    <div className={styles.working}>
      <progress
        className={styles.bar}
        max={total}
        value={total === undefined ? undefined : done}
        aria-label={words}
      />
      <span className={styles.words}>{words}</span>
      {cancel !== undefined && <Button onClick={cancel}>Stop</Button>}
    </div>
  );
}

/** What went wrong in a computation: what happened, what was kept, what to do next. */
export function Failed({ what, error, retry }: { what: string; error: unknown; retry?: () => void }) {
  const { kept, next } = error instanceof AssayError ? error : { kept: undefined, next: undefined };
  return (
    <Notice tone="wrong" title={what}>
      <p>{messageOf(error)}</p>
      {kept !== undefined && <p>{kept}</p>}
      {next !== undefined && <p>{next}</p>}
      {retry !== undefined && <Button onClick={retry}>Try again</Button>}
    </Notice>
  );
}
