import type { ReactNode } from "react";
import { Notice } from "./badge.tsx";
import { Button } from "./button.tsx";
import { messageOf } from "./message.ts";
import styles from "./states.module.css";

/** What a page shows while there is nothing to show, and what to do about it. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <p className={styles.emptyTitle}>{title}</p>
      {children !== undefined && <div>{children}</div>}
    </div>
  );
}

/** Lines that stand for what is being read. */
export function Skeleton({ lines = 3, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div className={styles.skeleton} role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, line) => `line ${line}`).map((line) => (
        <span key={line} className={styles.line} />
      ))}
    </div>
  );
}

/** Something failed: what, and a way to try again. */
export function Failure({ what, error, retry }: { what: string; error: unknown; retry?: () => void }) {
  return (
    <Notice tone="wrong" title={what}>
      <p>{messageOf(error)}</p>
      {retry !== undefined && <Button onClick={retry}>Try again</Button>}
    </Notice>
  );
}
