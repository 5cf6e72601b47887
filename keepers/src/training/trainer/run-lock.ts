import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RunFolderError } from "./errors.ts";

/** Held while a run's files are written. */
export type RunLock = { release(): void };

/**
 * Keeps every other process from writing into the same run. The lock is SQLite's on a file of its own: it dies with the
 * process, so that a killed one leaves nothing that would have to be cleared away.
 *
 * @throws RunFolderError when somebody else holds it
 */
export function lockRun(path: string): RunLock {
  const database = new DatabaseSync(join(path, "run.lock"), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    throw new RunFolderError(`${path} is being trained by another process.`, {
      cause,
      kept: "This process has written nothing.",
      next: "Wait for the other one to end, or stop it.",
    });
  }
  return { release: () => database.close() };
}
