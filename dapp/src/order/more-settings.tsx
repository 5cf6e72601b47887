import { type ReactNode, useState } from "react";
import styles from "./order.module.css";

/** What has a sensible value already; open where something in it is wrong, so that it can be seen. */
export function MoreSettings({ hasProblem, children }: { hasProblem: boolean; children: ReactNode }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details open={isOpen || hasProblem} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>More settings</summary>
      <div className={styles.more}>{children}</div>
    </details>
  );
}
