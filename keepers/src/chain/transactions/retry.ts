const minute = 60_000;

/**
 * Milliseconds from an attempt that failed to the next one, after so many failures. Deadlines wait for nobody: the first
 * two are made up for at once. What goes on failing although it seems to succeed is tried ever more seldom, so that it does
 * not eat up the account.
 */
export function pauseAfter(failures: number): number {
  return failures < 3 ? 0 : minute * Math.min(2 ** (failures - 3), 16);
}
