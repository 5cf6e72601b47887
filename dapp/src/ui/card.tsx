import { type ReactNode, useEffect, useId, useRef } from "react";
import { Boundary } from "./boundary.tsx";
import styles from "./card.module.css";

/** A titled part of a page. */
export function Card({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    <section className={styles.card} aria-labelledby={id}>
      <header className={styles.head}>
        <h2 id={id} className={styles.title}>
          {title}
        </h2>
        {aside}
      </header>
      <Boundary what="This cannot be shown">{children}</Boundary>
    </section>
  );
}

/** Cards side by side where there is room. */
export function Columns({ children }: { children: ReactNode }) {
  return <div className={styles.columns}>{children}</div>;
}

/** Cards below each other, as one of {@link Columns}. */
export function Stack({ children }: { children: ReactNode }) {
  return <div className={styles.stack}>{children}</div>;
}

/** What a page is about: its title, by which the browser calls it, too; what kind of thing it is; what one can do there. */
export function PageHead({
  title,
  kind,
  children,
}: {
  title: ReactNode;
  kind?: string;
  children?: ReactNode;
}) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const text = head.current!.textContent;
    document.title = `${typeof title === "string" || kind === undefined ? text : `${kind} ${text}`} · Assay`;
  }, [title, kind]);
  return (
    <header className={styles.page}>
      {kind !== undefined && <p className={styles.kind}>{kind}</p>}
      <h1 ref={head}>{title}</h1>
      {children !== undefined && <div className={styles.under}>{children}</div>}
    </header>
  );
}
