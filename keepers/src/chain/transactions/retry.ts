const minute = 60_000;

/**
 * Milliseconds from an attempt that failed to the next one, after so many failures. Deadlines wait for nobody: the first
 * two are made up for at once. What goes on failing although it seems to succeed is tried ever more seldom, so that it does
 * not eat up the account.
 */
export function pauseAfter(failures: number): number {
  return failures < 3 ? 0 : minute * Math.min(2 ** (failures - 3), 16);
}

/**
 * Whether one that failed so often still waits. It was made by the clock of a process before this one: where that says later than
 * now the clock was set back, by who knows how much.
 */
export function isResting(now: number, madeAt: number, failures: number): boolean {
  return madeAt <= now && now < madeAt + pauseAfter(failures);
}
