import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import { gatherObjects } from "../../../../keepers/src/training/data/gather.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { openRun } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";

// Trains a run with a checkpoint after every interval, until it is killed.
const run = await openRun(process.argv[2]!);
const { source } = await gatherObjects(await readDigits(), {
  spool: `${run.path}/spool`,
  memoryBytes: 2 ** 20,
});
const { objectBytes, microBatches } = run.order;
const session = await nativeExecutor.open(run.program, { objectBytes, microBatches });
await train({
  run,
  session,
  source,
  checkpoint: { every: 1 },
  onEvent: ({ kind }) => kind === "checkpoint" && process.stdout.write("c"),
});
