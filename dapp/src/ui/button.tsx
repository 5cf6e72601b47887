import type { ButtonHTMLAttributes } from "react";
import { Link } from "wouter";
import styles from "./button.module.css";

type Kind = "main" | "plain" | "danger";

/** A button; `main` for the one thing a page is for. */
export function Button({
  kind = "plain",
  className,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: Kind }) {
  return <button type="button" {...rest} className={`${styles.button} ${styles[kind]} ${className ?? ""}`} />;
}

/** A link within the page that looks like a button. */
export function ButtonLink({
  kind = "plain",
  to,
  onClick,
  children,
}: {
  kind?: Kind;
  to: string;
  onClick?: () => void;
  children: string;
}) {
  return (
    <Link href={to} className={`${styles.button} ${styles[kind]}`} onClick={onClick}>
      {children}
    </Link>
  );
}
