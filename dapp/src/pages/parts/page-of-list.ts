/** Rows of a list that are shown at once. */
export const rowsAtOnce = 100;
/** Rows that are asked for: one more tells whether there is another page. */
export const rowsAsked = rowsAtOnce + 1;
/** Rows that a subgraph passes over at most. */
const mostSkipped = 5_000;

/** Rows that a subgraph lists at most. */
const mostListed = 1_000;

/** How many there are of what was listed for its number. */
export function countOf(listed: number): string {
  return listed < mostListed ? listed.toLocaleString("en") : `${mostListed.toLocaleString("en")} or more`;
}

/** A page of a list, by its number and the rows that were found from its beginning on. */
export type PageOfList = {
  readonly first: number;
  readonly last: number;
  readonly hasNext: boolean;
};

/** Which rows a page shows, counted from 1, and whether another one can follow. */
export function pageOf(page: number, found: number): PageOfList {
  const before = page * rowsAtOnce;
  return {
    first: before + 1,
    last: before + Math.min(found, rowsAtOnce),
    hasNext: found > rowsAtOnce && before + rowsAtOnce <= mostSkipped,
  };
}
