import { execFileSync, spawnSync } from "node:child_process";

/** Python with NumPy: ASSAY_PYTHON, or Debian's own, which its `python3-numpy` goes with. */
export const python = process.env.ASSAY_PYTHON ?? "/usr/bin/python3";

/** False where Python or NumPy is absent; in CI that is a failure instead. */
export function hasPython(): boolean {
  const found = spawnSync(python, ["-c", "import numpy"]).status === 0;
  if (!found && process.env.CI !== undefined) throw new Error(`${python} with NumPy is needed in CI`);
  return found;
}

export function runPython(script: string, args: string[], input?: string): string {
  return execFileSync(python, [new URL(script, import.meta.url).pathname, ...args], {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    env: { ...process.env, OPENBLAS_NUM_THREADS: "1", PYTHONDONTWRITEBYTECODE: "1" },
  });
}
