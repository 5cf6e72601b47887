import { Fragment, type ReactNode, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { pageOf, rowsAsked, rowsAtOnce } from "./page-of-list.ts";
import styles from "./pager.module.css";

/** What is asked for a page of a list, and what shows the rows that came, with what turns to the pages beside it. */
export type PageShown = {
  readonly asked: { readonly first: number; readonly skip: number };
  readonly show: <Row>(found: readonly Row[], list: (rows: readonly Row[]) => ReactNode) => ReactNode;
};

/** A list, page after page; each is asked for when it is looked at. */
export function Paged({ children }: { children: (page: PageShown) => ReactNode }) {
  const [page, setPage] = useState(0);
  const show: PageShown["show"] = (found, list) => (
    <>
      {list(found.slice(0, rowsAtOnce))}
      <Pager page={page} found={found.length} turn={setPage} />
    </>
  );
  return (
    <Fragment key={page}>{children({ asked: { first: rowsAsked, skip: page * rowsAtOnce }, show })}</Fragment>
  );
}

function Pager({ page, found, turn }: { page: number; found: number; turn: (page: number) => void }) {
  const { first, last, hasNext } = pageOf(page, found);
  if (page === 0 && !hasNext) return null;
  return (
    <nav className={styles.pager} aria-label="Pages of the list">
      <Button onClick={() => turn(page - 1)} disabled={page === 0}>
        Back
      </Button>
      <span>
        {first.toLocaleString("en")} to {last.toLocaleString("en")}
      </span>
      <Button onClick={() => turn(page + 1)} disabled={!hasNext}>
        Go on
      </Button>
    </nav>
  );
}
