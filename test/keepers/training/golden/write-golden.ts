import { writeFileSync } from "node:fs";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { goldenRuns, type Roots, train } from "./runs.ts";

/**
 * Writes the roots that every realisation must reach. Run it only when the arithmetic is meant to change: a changed
 * root is a changed protocol.
 */
const roots: Record<string, Roots> = {};
for (const run of goldenRuns) roots[run.name] = await train(nativeExecutor, run);
writeFileSync(
  new URL("../../../fixtures/exact/golden.json", import.meta.url),
  `${JSON.stringify(roots, undefined, 2)}\n`,
);
