import { type Hex, keccak256, stringToHex } from "viem";
import { Dice } from "../../keepers/src/roles/simulation/dice.ts";
import { anyLie, type Lie, togetherOf } from "../../keepers/src/roles/simulation/lies.ts";
import { onDataset, type TinyJob } from "../../keepers/src/roles/simulation/tiny-job.ts";
import { makeTinyJob } from "../../keepers/src/roles/simulation/tiny-programs.ts";
import { ToldRun } from "../../keepers/src/roles/simulation/told-run.ts";
import type { Party } from "./cast.ts";

/** Wrong runs that a lying provider can choose from. */
export const lies = 6;

const tiny = makeTinyJob("mlp8");
const jobs = new Map<Hex, TinyJob>();
const runs = new Map<string, ToldRun>();

/** What every walk trains, on some dataset: five steps, three intervals. */
export function jobOn(datasetId: Hex): TinyJob {
  let job = jobs.get(datasetId);
  if (job === undefined) {
    job = onDataset(tiny, datasetId);
    jobs.set(datasetId, job);
  }
  return job;
}

/** The objects that are trained on. */
export const trained = {
  objects: tiny.order.objects,
  bytes: tiny.order.objectBytes,
  objectRoot: tiny.order.objectRoot,
};

/** A provider's run: the right one, or the wrong one of a number. Each has salts of its own. */
export function runOf(datasetId: Hex, who: Party, lie?: number): ToldRun {
  const key = `${datasetId}/${who}/${lie}`;
  let run = runs.get(key);
  if (run === undefined) {
    const job = jobOn(datasetId);
    const secret = keccak256(stringToHex(`secret ${who}`));
    run =
      lie === undefined
        ? new ToldRun(job, secret)
        : new ToldRun(job, secret, { ...togetherOf([lieOf(job, lie)]), right: runOf(datasetId, who) });
    runs.set(key, run);
  }
  return run;
}

/** Whether two runs have the same state at a leaf of their traces. */
export function isSameLeaf(one: ToldRun, other: ToldRun, leaf: number): boolean {
  return one.publishedLeaves[leaf]!.stateRoot === other.publishedLeaves[leaf]!.stateRoot;
}

/** A lie that shows in a state of the trace. */
function lieOf(job: TinyJob, number: number): Lie {
  const dice = new Dice("coalitions", `lie ${number}`);
  for (;;) {
    const lie = anyLie(job, dice);
    if (visible.has(lie.kind)) return lie;
  }
}

const visible = new Set(["zeros", "noise", "skip", "rate", "samples", "root", "result", "state"]);
