import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { initialState } from "../keepers/src/core/exact/random/initialize.ts";
import type { Program } from "../keepers/src/core/exact/tape/types.ts";
import { WorkerDesk } from "../keepers/src/roles/provider/worker-desk.ts";
import { createHost } from "../keepers/src/storage/transport/host.ts";
import { SumsForm } from "../keepers/src/training/cluster/forms.ts";
import { MemoryRecords } from "../keepers/src/training/cluster/records.ts";
import { ClusterSession } from "../keepers/src/training/cluster/session.ts";
import { Snapshots } from "../keepers/src/training/cluster/snapshots.ts";
import { compile } from "../keepers/src/training/compiler/compile.ts";
import { nativeExecutor } from "../keepers/src/training/executors/native.ts";
import type { StepInput, TrainingSession } from "../keepers/src/training/executors/types.ts";
import { buildModel } from "../keepers/src/training/models/built-in.ts";
import { stateRootOf } from "../keepers/src/training/trace/commitments.ts";
import type { BenchOptions, Report } from "./measure.ts";

const microBatch = 64;
const pixels = 784;
const objectBytes = pixels + 1;
const classes = 10;
/** Micro-batches of a step, and of a chunk. */
const microBatches = 64;
const chunkSize = 4;
const engine = { objectBytes, microBatches, threads: 1 };
/** Worker processes, and how many have to agree. */
const processes = [
  { count: 1, copies: 1 },
  { count: 2, copies: 1 },
  { count: 4, copies: 1 },
  { count: 8, copies: 1 },
  { count: 4, copies: 2 },
];
/** Machines of the simulation, and their links: bits in a second each way, seconds of a round trip. */
const simulated = [1, 2, 4, 8, 16, 32, 64];
const link = { rate: 100e6, roundTrip: 0.04 };
/** The provider's own link carries all of it. */
const uplink = 1e9;

/** Steps of LeNet-5 by worker processes, next to the same steps by one process alone; then the same on more machines, simulated. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const program = lenet();
  const inputs = steps(quick ? 3 : 7);
  const lone = async () => {
    const alone = await nativeExecutor.open(program, engine);
    try {
      return await measure(alone, program, inputs);
    } finally {
      await alone.close();
    }
  };
  let alone = await lone();
  const rows: { name: string; seconds: number }[] = [];
  let own = Number.POSITIVE_INFINITY;
  for (const { count, copies } of processes) {
    const crew = await withWorkers(program, count, copies, inputs);
    if (crew.root !== alone.root) throw new Error(`${count} workers gave another state`);
    if (copies === 1) own = Math.min(own, crew.processor);
    const agreeing = copies === 1 ? "" : `, ${copies} agree on each chunk`;
    rows.push({ name: `${count} worker processes${agreeing}`, seconds: crew.seconds });
  }
  // The machine may have been busier at first: the quicker of two.
  const later = await lone();
  alone = {
    ...alone,
    seconds: Math.min(alone.seconds, later.seconds),
    processor: Math.min(alone.processor, later.processor),
  };
  for (const { name, seconds } of rows) {
    report({
      name: `LeNet-5, step of ${microBatches} × ${microBatch}, ${name}`,
      value: seconds * 1000,
      unit: "ms",
      peer: "alone",
      peerValue: alone.seconds * 1000,
      ratio: alone.seconds / seconds,
      note: `speed-up, higher is better; one thread each, ${availableParallelism()} cores for them and the provider; the same state root; no samples checked`,
    });
  }
  await simulate(report, program, inputs, { lone: alone.processor, own: own / (microBatches / chunkSize) });
}

async function measure(session: TrainingSession, program: Program, inputs: readonly StepInput[]) {
  await session.setState(initialState(program, `0x${"11".repeat(32)}`));
  await session.run(inputs.slice(0, 1));
  const start = performance.now();
  const used = process.cpuUsage();
  await session.run(inputs.slice(1));
  const { user, system } = process.cpuUsage(used);
  const seconds = (performance.now() - start) / 1000 / (inputs.length - 1);
  /** Seconds of this process's processor for a step. */
  const processor = (user + system) / 1e6 / (inputs.length - 1);
  return { seconds, processor, root: stateRootOf(program, await session.getState()) };
}

async function withWorkers(program: Program, count: number, copies: number, inputs: readonly StepInput[]) {
  const session = await ClusterSession.open(nativeExecutor, program, engine, {
    chunkSize,
    copies,
    checkShare: 0,
    secret: randomBytes(32),
    records: new MemoryRecords(),
    firstStep: 0,
    patience: 10_000,
  });
  const host = await createHost({ listen: ["/ip4/127.0.0.1/tcp/0"] });
  const desk = await WorkerDesk.open({ host, log: pino({ level: "silent" }) });
  desk.offer({ session, engine, chunkSize });
  const script = fileURLToPath(new URL("./peers/cluster-worker.ts", import.meta.url));
  const address = host.getMultiaddrs()[0]!.toString();
  const workers = Array.from({ length: count }, (): ChildProcess => {
    return spawn(process.execPath, [script, address], { stdio: "inherit" });
  });
  try {
    while (desk.members < count) await delay(50);
    return await measure(session, program, inputs);
  } finally {
    desk.withdraw();
    for (const worker of workers) worker.kill("SIGTERM");
    await Promise.all(workers.map((worker) => worker.exitCode ?? once(worker, "exit")));
    await desk.close();
    await host.stop();
    await session.close();
  }
}

/** What a step costs, in seconds and bytes. */
type Costs = {
  /** Of a micro-batch, at a worker. */
  readonly compute: number;
  /** Objects of a micro-batch. */
  readonly objects: number;
  /** Sums of a chunk, whatever its size. */
  readonly sums: number;
  /** Change of the state. */
  readonly change: number;
  /** The provider's processor for a chunk: to send it, to receive it, to add it up. A worker's share is taken for as much. */
  readonly own: number;
  /** The provider's part between two steps, in which workers wait. */
  readonly update: number;
};

/**
 * Seconds of a step, and what they are spent on. A worker fetches, computes and delivers one chunk after another; the
 * provider's link and processor are shared by all.
 */
function predict(costs: Costs, workers: number, copies: number, size: number) {
  const given = (microBatches / size) * copies;
  const each = Math.ceil(given / workers);
  const down = size * costs.objects;
  const transfers = (8 * (each * (down + costs.sums) + costs.change)) / link.rate + 2 * each * link.roundTrip;
  const busy = Math.min(workers, given);
  const parts = {
    "the workers' processors": each * (size * costs.compute + costs.own),
    "the workers' links": transfers,
    "the provider's link":
      (8 * (given * down + (given / copies) * costs.sums + busy * costs.change)) / uplink,
    "the provider's processor": given * costs.own,
  };
  const worker = parts["the workers' processors"] + parts["the workers' links"];
  const seconds =
    Math.max(worker, parts["the provider's link"], parts["the provider's processor"]) + costs.update;
  const rest = { ...parts, "the step itself at the provider": costs.update };
  const [limit] = Object.entries(rest).sort(([, one], [, other]) => other - one)[0]!;
  return { seconds, size, limit };
}

/** What more machines would give, from processor time measured here, which other work on this machine does not add to. */
async function simulate(
  report: Report,
  program: Program,
  inputs: readonly StepInput[],
  { lone, own }: { lone: number; own: number },
): Promise<void> {
  const sums = await nativeExecutor.openSums(program, { ...engine, microBatches: chunkSize });
  const update = await nativeExecutor.openUpdate(program, engine);
  const state = initialState(program, `0x${"11".repeat(32)}`);
  const { objects, learningRate } = inputs[0]!;
  const part = objects.subarray(0, (objects.length / microBatches) * chunkSize);
  const seconds = async (work: () => Promise<unknown>) => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i++) {
      const start = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(start);
      least = Math.min(least, (user + system) / 1e6);
    }
    return least;
  };
  const form = new SumsForm(program, chunkSize);
  const result = await sums.compute(state, part);
  const compute = await seconds(async () => form.digest(form.encode(await sums.compute(state, part))));
  const next = await update.next(state, result.sums, learningRate);
  const snapshots = new Snapshots(program);
  snapshots.set(state);
  const { state: before } = snapshots.since(undefined);
  snapshots.set(next);
  const costs: Costs = {
    compute: compute / chunkSize,
    objects: part.length / chunkSize,
    sums: form.encode(result).length,
    change: snapshots.since(before).bytes.length,
    own,
    update: await seconds(async () => {
      const fresh = new Snapshots(program);
      fresh.set(state);
      fresh.set(await update.next(state, result.sums, learningRate));
      return fresh.since(before);
    }),
  };
  await sums.close();
  await update.close();
  const measured = `processor time measured: ${(1000 * costs.compute).toFixed(1)} ms and ${costs.objects} bytes of a micro-batch, ${costs.sums} bytes of sums, ${(1000 * costs.own).toFixed(1)} ms of the provider for a chunk, ${(1000 * costs.update).toFixed(1)} ms for a step; workers at 100 Mbit/s and 40 ms, provider at 1 Gbit/s`;
  for (const copies of [1, 2]) {
    for (const count of simulated) {
      const sizes = [1, 2, 4, 8, 16, 32, 64].map((size) => predict(costs, count, copies, size));
      const best = sizes.reduce((one, other) => (other.seconds < one.seconds ? other : one));
      report({
        name: `LeNet-5, step of ${microBatches} × ${microBatch}, ${count} machines, copies ${copies}, simulated`,
        value: best.seconds * 1000,
        unit: "ms",
        peer: "alone",
        peerValue: lone * 1000,
        ratio: lone / best.seconds,
        note: `speed-up with chunks of ${best.size}; limit: ${best.limit}; ${measured}`,
      });
    }
  }
}

function lenet(): Program {
  return compile({
    model: buildModel("lenet5", { batch: microBatch }),
    bits: 8,
    microBatch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -33,
      exponent: -6,
      layout: "NCHW",
      shape: [1, 28, 28],
    },
    target: { offset: pixels, encoding: "u8", classes },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982 },
  });
}

function steps(count: number): StepInput[] {
  return Array.from({ length: count }, (_, step) => {
    const objects = Uint8Array.from(
      { length: microBatches * microBatch * objectBytes },
      (_, i) => Math.imul(i + step + 1, 2654435761) >>> 24,
    );
    for (let at = objectBytes - 1; at < objects.length; at += objectBytes) objects[at]! %= classes;
    return { objects, learningRate: 655 };
  });
}
