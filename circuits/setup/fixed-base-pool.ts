import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { getCurveFromName } from "ffjavascript";
import type { CurveProgram, Group } from "./fixed-base.ts";
import { pointBytes, scalarBytes } from "./fixed-base.ts";

export type FixedBaseTask = { id: number; group: Group; scalars: Uint8Array };
export type FixedBaseResult = { id: number; points: Uint8Array };

/** Scalars of one task: short enough to keep all threads busy to the end. */
const taskSize = 4096;

/** A table set takes about 36 MB in each thread, and ends of tasks leave threads idle: more than 8 gain little. */
const maxThreads = 8;

type Pending = { resolve: (points: Uint8Array) => void; reject: (error: Error) => void };

/** Fixed-base multiplication of the two generators, spread over worker threads. */
export class FixedBasePool {
  readonly #workers: Worker[];
  readonly #pending = new Map<number, Pending>();
  #next = 0;

  /** Starts the threads; `close` ends them. */
  static async create(threads = Math.min(availableParallelism(), maxThreads)): Promise<FixedBasePool> {
    return new FixedBasePool(threads, await loadCurveProgram());
  }

  private constructor(threads: number, program: CurveProgram) {
    this.#workers = Array.from({ length: threads }, () => {
      const worker = new Worker(new URL("./fixed-base-worker.ts", import.meta.url), {
        workerData: program,
      });
      worker.on("message", (result: FixedBaseResult) => {
        this.#pending.get(result.id)?.resolve(result.points);
        this.#pending.delete(result.id);
      });
      worker.on("error", (error: Error) => this.#fail(error));
      return worker;
    });
  }

  /** @returns the affine points of the scalars (32 bytes each, little-endian, below r), in order. */
  async multiply(group: Group, scalars: Uint8Array): Promise<Uint8Array> {
    const parts: Promise<Uint8Array>[] = [];
    for (let start = 0; start < scalars.length; start += taskSize * scalarBytes) {
      parts.push(this.#submit(group, scalars.slice(start, start + taskSize * scalarBytes)));
    }
    const result = new Uint8Array((scalars.length / scalarBytes) * pointBytes[group]);
    let position = 0;
    for (const part of await Promise.all(parts)) {
      result.set(part, position);
      position += part.length;
    }
    return result;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #submit(group: Group, scalars: Uint8Array): Promise<Uint8Array> {
    const id = this.#next++;
    const task: FixedBaseTask = { id, group, scalars };
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#workers[id % this.#workers.length]!.postMessage(task, [scalars.buffer as ArrayBuffer]);
    });
  }

  #fail(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** Runs on the main thread: ffjavascript's worker shim refuses to be loaded in a worker that it did not start. */
async function loadCurveProgram(): Promise<CurveProgram> {
  const { tm } = await getCurveFromName("bn128", true);
  return { code: tm.code, generators: { G1: tm.pG1gen, G2: tm.pG2gen } };
}
