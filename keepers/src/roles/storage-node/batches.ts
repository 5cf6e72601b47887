/** Transactions of one account that wait for a block at the same time: as many as nodes keep of one in any case. */
const mostPending = 16;

export type BatchWork<T> = {
  /** Sends what an item needs without waiting for it; says whether anything was sent. */
  begin(item: T): Promise<boolean>;
  /** Waits for what was sent; says whether it was done. */
  end(item: T): Promise<boolean>;
};

/**
 * Sends a transaction for each of some items, several at a time: none waits for the confirmation of another.
 *
 * @param work throws nothing
 * @returns the items for which it was done
 */
export async function inBatches<T>(
  items: readonly T[],
  signal: AbortSignal,
  { begin, end }: BatchWork<T>,
): Promise<T[]> {
  const done: T[] = [];
  for (let start = 0; start < items.length && !signal.aborted; start += mostPending) {
    const sent: T[] = [];
    for (const item of items.slice(start, start + mostPending)) {
      if (!signal.aborted && (await begin(item))) sent.push(item);
    }
    for (const item of sent) if (!signal.aborted && (await end(item))) done.push(item);
  }
  return done;
}
