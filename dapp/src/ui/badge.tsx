import type { ReactNode } from "react";
import styles from "./badge.module.css";
import type { Tone } from "./tone.ts";

export type { Tone };

const marks: Record<Tone, string> = { healthy: "✓", waiting: "◷", wrong: "✕", neutral: "·" };

/** A state in a word. Colour is never alone: a mark says the same. */
export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`${styles.badge} ${styles[tone]}`}>
      <span aria-hidden="true">{marks[tone]}</span> {children}
    </span>
  );
}

/** Something that the visitor has to know, said in a sentence or two. */
export function Notice({
  tone,
  title,
  role = tone === "wrong" ? "alert" : "status",
  children,
}: {
  tone: Tone;
  title: string;
  /** How it is read out: when it comes, unless it is a clock that runs. */
  role?: "alert" | "status" | "timer";
  children?: ReactNode;
}) {
  return (
    <div className={`${styles.notice} ${styles[tone]}`} role={role}>
      <p className={styles.noticeTitle}>{title}</p>
      {children !== undefined && <div className={styles.noticeText}>{children}</div>}
    </div>
  );
}
