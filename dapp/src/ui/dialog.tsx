import { type ReactNode, useEffect, useId, useRef } from "react";
import styles from "./dialog.module.css";
import { showModal } from "./modal-focus.ts";

/**
 * A modal dialog. The browser's own element keeps the focus inside and ends at Escape, and needs no style that the content
 * security policy forbids.
 */
export function Dialog({
  title,
  isOpen,
  onClose,
  children,
}: {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const head = useRef<HTMLHeadingElement>(null);
  const id = useId();
  useEffect(() => (isOpen ? showModal(element.current!, head.current) : undefined), [isOpen]);
  return (
    <dialog ref={element} className={styles.dialog} aria-labelledby={id} onClose={onClose}>
      {isOpen && (
        <>
          <header className={styles.head}>
            <h2 ref={head} id={id} tabIndex={-1} className={styles.title}>
              {title}
            </h2>
            <button type="button" className={styles.close} onClick={onClose} aria-label="Close">
              ✕
            </button>
          </header>
          <div className={styles.body}>{children}</div>
        </>
      )}
    </dialog>
  );
}
