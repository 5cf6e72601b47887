/**
 * Does some work for each item, whatever becomes of the others: who can make one fail must not stop the rest.
 *
 * @throws the first failure, once all were tried
 */
export async function forEach<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
