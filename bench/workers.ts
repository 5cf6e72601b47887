import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
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
/** Workers of the simulation, and their links: bits in a second each way, seconds of a round trip. */
const simulated = [1, 2, 4, 8, 16];
const link = { rate: 100e6, delay: 0.02 };
/** The provider's own link carries all of it. */
const uplink = 1e9;

/** Steps of LeNet-5 by worker processes, next to the same steps by one process alone. Shares of one machine: see the note. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const program = lenet();
  const inputs = steps(quick ? 3 : 8);
  const alone = await nativeExecutor.open(program, engine);
  const lone = await measure(alone, program, inputs);
  await alone.close();
  for (const count of [1, 2, 4, 8]) {
    const own = await withWorkers(program, count, inputs);
    if (own.root !== lone.root) throw new Error(`${count} workers gave another state`);
    report({
      name: `LeNet-5, step of ${microBatches} × ${microBatch}, ${count} worker processes`,
      value: own.seconds * 1000,
      unit: "ms",
      peer: "alone",
      peerValue: lone.seconds * 1000,
      ratio: lone.seconds / own.seconds,
      note: "speed-up, higher is better; one thread each, on this machine's two cores; the same state root; nothing checked",
    });
  }
  await simulate(report, program, inputs, lone.seconds);
}

async function measure(session: TrainingSession, program: Program, inputs: readonly StepInput[]) {
  await session.setState(initialState(program, `0x${"11".repeat(32)}`));
  await session.run(inputs.slice(0, 1));
  const start = performance.now();
  await session.run(inputs.slice(1));
  const seconds = (performance.now() - start) / 1000 / (inputs.length - 1);
  return { seconds, root: stateRootOf(program, await session.getState()) };
}

async function withWorkers(program: Program, count: number, inputs: readonly StepInput[]) {
  const session = await ClusterSession.open(nativeExecutor, program, engine, {
    chunkSize,
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

/**
 * What more machines would give: measured seconds of a chunk and of the provider's part of a step, measured bytes, and the
 * stated links. Each worker fetches, computes, delivers, one chunk after another; the provider's link is shared.
 */
async function simulate(report: Report, program: Program, inputs: readonly StepInput[], lone: number) {
  const sums = await nativeExecutor.openSums(program, { ...engine, microBatches: chunkSize });
  const update = await nativeExecutor.openUpdate(program, engine);
  const state = initialState(program, `0x${"11".repeat(32)}`);
  const { objects, learningRate } = inputs[0]!;
  const part = objects.subarray(0, (objects.length / microBatches) * chunkSize);
  const seconds = async (work: () => Promise<unknown>) => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      await work();
      least = Math.min(least, (performance.now() - start) / 1000);
    }
    return least;
  };
  const form = new SumsForm(program, chunkSize);
  const result = await sums.compute(state, part);
  const encoded = form.encode(result);
  const compute = await seconds(() => sums.compute(state, part));
  const decode = await seconds(async () => form.decode(encoded));
  const next = await update.next(state, result.sums, learningRate);
  const step = await seconds(() => update.next(state, result.sums, learningRate));
  const snapshots = new Snapshots(program);
  snapshots.set(state);
  const { state: digest } = snapshots.since(undefined);
  snapshots.set(next);
  const change = snapshots.since(digest).bytes.length;
  await sums.close();
  await update.close();
  const chunks = microBatches / chunkSize;
  for (const count of simulated) {
    const each = Math.ceil(chunks / count);
    const bytes = each * (part.length + encoded.length) + change;
    const turn = each * (compute + 2 * link.delay) + (8 * bytes) / link.rate;
    const shared =
      (8 * (chunks * (part.length + encoded.length) + count * change)) / uplink + chunks * decode;
    const total = Math.max(turn, shared) + step;
    report({
      name: `LeNet-5, step of ${microBatches} × ${microBatch}, ${count} machines, simulated`,
      value: total * 1000,
      unit: "ms",
      peer: "alone",
      peerValue: lone * 1000,
      ratio: lone / total,
      note: `speed-up; computed from a measured chunk (${(compute * 1000).toFixed(0)} ms, ${part.length + encoded.length} bytes), workers at 100 Mbit/s and 20 ms, provider at 1 Gbit/s`,
    });
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
