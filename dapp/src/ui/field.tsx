import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from "react";
import styles from "./field.module.css";

type Common = { readonly label: string; readonly hint?: ReactNode; readonly problem?: string | undefined };

/** A labelled input, with what is wrong with it below. */
export function Field({ label, hint, problem, ...rest }: Common & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  const below = problem ?? hint;
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input
        {...rest}
        id={id}
        className={styles.input}
        aria-invalid={problem !== undefined}
        aria-describedby={below === undefined ? undefined : `${id}-below`}
      />
      {below !== undefined && (
        <p id={`${id}-below`} className={problem === undefined ? styles.hint : styles.problem}>
          {below}
        </p>
      )}
    </div>
  );
}

/** A labelled choice. */
export function Choice({
  label,
  hint,
  children,
  ...rest
}: Omit<Common, "problem"> & SelectHTMLAttributes<HTMLSelectElement> & { children: ReactNode }) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <select
        {...rest}
        id={id}
        className={styles.input}
        aria-describedby={hint === undefined ? undefined : `${id}-below`}
      >
        {children}
      </select>
      {hint !== undefined && (
        <p id={`${id}-below`} className={styles.hint}>
          {hint}
        </p>
      )}
    </div>
  );
}

/** Fields side by side where there is room. */
export function Fields({ children }: { children: ReactNode }) {
  return <div className={styles.fields}>{children}</div>;
}
