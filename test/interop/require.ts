import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * What to pass as `skip` to a test that needs a part this machine may lack. Locally an absent part skips the test with
 * a reason; in CI, where everything must be exercised, it throws.
 */
export function requireOrSkip(name: string, present: boolean): string | false {
  if (present) return false;
  if (process.env.CI) throw new Error(`${name} is required in CI`);
  return `${name} is not on this machine`;
}

/** The path of a program: the one an environment variable names, or the first on PATH. */
export function findProgram(variable: string, program: string): string | undefined {
  const named = process.env[variable];
  const candidates = named
    ? [named]
    : (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
