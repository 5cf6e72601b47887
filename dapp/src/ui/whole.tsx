import { useState } from "react";
import { Button } from "./button.tsx";
import styles from "./whole.module.css";

/** A whole identifier, with a way to copy it. */
export function Whole({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <span className={styles.whole}>
      <code>{text}</code>
      <Button className={styles.copy} onClick={copy} aria-label={`Copy ${text}`}>
        {isCopied ? "Copied" : "Copy"}
      </Button>
    </span>
  );
}
