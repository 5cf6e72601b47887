import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Python with NumPy: ASSAY_PYTHON, or Debian's own, which its `python3-numpy` goes with. */
export const python = process.env.ASSAY_PYTHON ?? "/usr/bin/python3";

/** False where Python or one of these modules is absent; in CI that is a failure instead. */
export function hasPython(...modules: string[]): boolean {
  const found = spawnSync(python, ["-c", `import ${modules.join(", ")}`]).status === 0;
  if (!found && process.env.CI !== undefined)
    throw new Error(`${python} with ${modules.join(" and ")} is needed in CI`);
  return found;
}

/** Runs a script (its path seen from this folder) and gives back its standard output. */
export function runPython(
  script: string,
  args: string[],
  { input, env }: { input?: string; env?: Record<string, string> } = {},
): string {
  return execFileSync(python, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    env: { ...process.env, OPENBLAS_NUM_THREADS: "1", PYTHONDONTWRITEBYTECODE: "1", ...env },
  });
}
