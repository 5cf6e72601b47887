import type { DescribedOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import {
  compilePublished,
  type MachineLimits,
} from "../../../../keepers/src/roles/jobs/published-program.ts";
import { bytesOfDisputes } from "../../../../keepers/src/training/dispute/dispute-memory.ts";
import { estimateMemory } from "../../../../keepers/src/training/executors/memory.ts";
import { limits } from "./scene.ts";

/** A machine that can train a job, but holds no step of it that is in dispute. */
export async function tightFor({ order, training, package: bytes }: DescribedOrder): Promise<MachineLimits> {
  const { compiled, options } = await compilePublished({ order, training, package: bytes }, limits, () =>
    Promise.reject(new Error("no model is stored")),
  );
  const { total } = estimateMemory(compiled.program, options);
  const more = bytesOfDisputes(compiled.program, options.microBatches);
  return { ...limits, memoryBytes: total + Math.floor(more / 2) };
}
