/** Runs that were trained to a folder, and what both sides of a dispute make of them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { cheatingWorker, type Flip } from "../../../../keepers/src/roles/embedded/cheating-worker.ts";
import { MemoryObjects } from "../../../../keepers/src/training/data/memory-objects.ts";
import { FolderRun } from "../../../../keepers/src/training/dispute/claimed-run.ts";
import { ExecutedRun } from "../../../../keepers/src/training/dispute/own-run.ts";
import type { OpenSession } from "../../../../keepers/src/training/dispute/replayer.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor, ExecutorOptions } from "../../../../keepers/src/training/executors/types.ts";
import { createRun, openRun } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";
import type { Job } from "./story.ts";

const folder = await mkdtemp(join(tmpdir(), "assay-players-"));
after(() => rm(folder, { recursive: true, force: true }));

let runs = 0;

/** Trains a job to a folder; with a flip, as a worker that cheats. */
export async function trainedRun(job: Job, flip?: Flip) {
  const { program, order } = job;
  const bytes = new Uint8Array(job.objects.flatMap((object) => [...object]));
  const source = new MemoryObjects("objects", order.objectBytes, bytes);
  const options: ExecutorOptions = { objectBytes: order.objectBytes, microBatches: order.microBatches };
  const path = join(folder, `run-${runs++}`);
  const domain = { chainId: 0, verifyingContract: `0x${"00".repeat(20)}` } as const;
  const run = await createRun({ path, program, order, domain, config: {} });
  const open: OpenSession = async (firstStep) => {
    const honest = await nativeExecutor.open(program, options);
    if (flip === undefined || flip.step < firstStep) return honest;
    return cheatingWorker(honest, { ...flip, step: flip.step - firstStep });
  };
  const session = await open(0);
  await train({ run, session, source, checkpoint: { every: 2 * order.interval } });
  await session.close();
  const made: { close(): Promise<void> }[] = [];
  after(() => Promise.all(made.map((each) => each.close())));
  return {
    path,
    /** The provider, from what lies on its disk. */
    async provider(): Promise<FolderRun> {
      const provider = new FolderRun({
        run: await openRun(path),
        source,
        executor: nativeExecutor,
        options,
        open,
      });
      made.push(provider);
      return provider;
    },
    /** A challenger that has the order and the data alone. */
    challenger(executor: Executor = nativeExecutor): ExecutedRun {
      const nearest = async () => ({ step: 0, state: initialState(program, order.seed) });
      const own = new ExecutedRun({ program, order, source, executor, options, nearest });
      made.push(own);
      return own;
    },
  };
}
