import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { Link, useLocation } from "wouter";
import styles from "./shell.module.css";
import { ThemeSwitch } from "./theme-switch.tsx";

const places = [
  { to: "/", name: "Overview" },
  { to: "/datasets", name: "Datasets" },
  { to: "/jobs", name: "Jobs" },
  { to: "/operators", name: "Operators" },
  { to: "/order", name: "Order" },
] as const;

function Mark() {
  return (
    <svg viewBox="0 0 32 32" className={styles.mark} aria-hidden="true">
      <path d="M16 4 27 28h-4.9l-2.1-4.9h-8L9.9 28H5Z" />
      <path className={styles.markHole} d="m13.9 18.8 2.1-5.2 2.1 5.2Z" />
    </svg>
  );
}

/** What is around every page: name, navigation, tools; the page itself takes the focus when it changes. */
export function Shell({ tools, children }: { tools?: ReactNode; children: ReactNode }) {
  const [location] = useLocation();
  const main = useRef<HTMLElement>(null);
  const shown = useRef(location);
  // A page that knows its title says it afterwards.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each address is a page of its own
  useLayoutEffect(() => {
    document.title = "Assay";
  }, [location]);
  useEffect(() => {
    if (shown.current === location) return;
    shown.current = location;
    main.current?.focus();
    window.scrollTo(0, 0);
  }, [location]);
  return (
    <>
      <button type="button" className={styles.skip} onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header className={styles.header}>
        <div className={styles.bar}>
          <Link href="/" className={styles.name}>
            <Mark /> Assay
          </Link>
          <nav aria-label="Main" className={styles.nav}>
            {places.map(({ to, name }) => (
              <Link
                key={to}
                href={to}
                className={styles.place}
                aria-current={isWithin(location, to) ? "page" : undefined}
              >
                {name}
              </Link>
            ))}
          </nav>
          <div className={styles.tools}>
            {tools}
            <ThemeSwitch />
          </div>
        </div>
      </header>
      <main ref={main} id="content" tabIndex={-1} className={styles.main}>
        {children}
      </main>
      <footer className={styles.footer}>
        <p>Every byte provably stored, every step provably computed.</p>
      </footer>
    </>
  );
}

function isWithin(location: string, place: string): boolean {
  return place === "/" ? location === "/" : location === place || location.startsWith(`${place}/`);
}
