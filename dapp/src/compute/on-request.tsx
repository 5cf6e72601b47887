import type { ReactNode } from "react";
import { Button } from "../ui/button.tsx";
import { EmptyState } from "../ui/states.tsx";
import styles from "./compute.module.css";
import type { Run } from "./use-run.ts";
import { Failed, Working } from "./working.tsx";

type Props<T> = {
  readonly run: Run<T>;
  readonly begin: () => void;
  readonly cancel: () => void;
  /** Why it cannot be asked for here. */
  readonly missing: string | undefined;
  /** What the visitor asks for it with. */
  readonly button: string;
  /** What to say above the reason when it went wrong. */
  readonly failed: string;
  readonly children: (output: T) => ReactNode;
};

/** What is computed when the visitor asks for it: how far it is, what went wrong, what came out. */
export function OnRequest<T>({ run, begin, cancel, missing, button, failed, children }: Props<T>): ReactNode {
  if (missing !== undefined) return <EmptyState title={missing} />;
  switch (run.state) {
    case "running":
      return <Working progress={run.progress} cancel={cancel} />;
    case "failed":
      return <Failed what={failed} error={run.error} retry={begin} />;
    case "done":
      return children(run.output);
    case "idle":
      return (
        <div className={styles.row}>
          <Button kind="main" onClick={begin}>
            {button}
          </Button>
        </div>
      );
  }
}
