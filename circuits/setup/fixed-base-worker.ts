import { parentPort, workerData } from "node:worker_threads";
import type { CurveProgram } from "./fixed-base.ts";
import { createFixedBase } from "./fixed-base.ts";
import type { FixedBaseResult, FixedBaseTask } from "./fixed-base-pool.ts";

const port = parentPort;
if (port === null) throw new Error("fixed-base-worker.ts runs as a worker thread only");
const multiply = await createFixedBase(workerData as CurveProgram);

port.on("message", (task: FixedBaseTask) => {
  const points = multiply(task.group, task.scalars);
  port.postMessage({ id: task.id, points } satisfies FixedBaseResult, [points.buffer as ArrayBuffer]);
});
