import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hex } from "viem";
import { AssayError } from "../../core/errors.ts";
import { type Program, spaces } from "../../core/exact/tape/types.ts";
import { createStorageClient, type StorageClient } from "../../storage/client/client.ts";
import { readAnchor } from "../../storage/client/dataset.ts";
import { createHost } from "../../storage/transport/host.ts";
import { type LoadedConfig, loadConfig } from "../../training/config/load-config.ts";
import type { ObjectSequence } from "../../training/data/types.ts";
import { evaluateExact } from "../../training/evaluate/evaluate.ts";
import { nativeExecutor } from "../../training/executors/native.ts";
import type { Executor, TrainingSession } from "../../training/executors/types.ts";
import { wasmExecutor } from "../../training/executors/wasm.ts";
import type { WrongElement } from "../../training/trace/find.ts";
import { describePlace } from "../../training/trace/place.ts";
import { type IntervalReplay, replay } from "../../training/trace/replay.ts";
import { storeNode } from "../../training/trace/trace-step.ts";
import { newRun } from "../../training/trainer/new-run.ts";
import { type Prepared, prepare } from "../../training/trainer/prepare.ts";
import type { RunFolder } from "../../training/trainer/run-folder.ts";
import { type TrainResult, train } from "../../training/trainer/train.ts";
import { openStoredObjects } from "../stored-objects.ts";
import { cheatingWorker, type Flip } from "./cheating-worker.ts";
import type { StorageRunOptions } from "./storage-run.ts";

export type TrainingRunOptions = Pick<StorageRunOptions, "network" | "folder" | "stage" | "onProgress"> & {
  /** Stored on the network: the digits. */
  datasetId: Hex;
};

const guide = (name: string) =>
  fileURLToPath(new URL(`../../../../docs/guides/training/${name}`, import.meta.url));
const digitsConfig = guide("digits.yaml");
const everyStepConfig = guide("every-step.yaml");

/** Less than this on the fifth that is kept apart, and something is wrong. */
const leastAccuracy = 0.97;
/** What the cheating worker does: a bit in the middle of a weight, half way through its run. */
const flip: Flip = { step: 23, slot: 0, element: 101, bit: 13 };

/**
 * Exact training on what is stored: a model learns the digits that the network keeps, another engine finds the same bits,
 * and a worker that flips one of them is caught with step, node and element.
 */
export async function runTraining(options: TrainingRunOptions): Promise<void> {
  const { stage } = options;
  const run = await TrainingRun.open(options);
  try {
    await stage("train the stored digits in exact integers", () => run.train());
    await stage("replay in WebAssembly: the same bits", () => run.replay());
    await stage("a worker flips one bit of one weight: step, node and element are found", () => run.cheat());
  } finally {
    await run.close();
  }
}

/** A run that was made, and what it was made from. */
type Made = { prepared: Prepared; run: RunFolder; result: TrainResult };

class TrainingRun {
  readonly #options: TrainingRunOptions;
  readonly #client: StorageClient;
  readonly #closers: (() => Promise<void>)[];
  /** Fetched once. */
  #objects: Promise<ObjectSequence> | undefined;
  #honest: Made | undefined;

  private constructor(options: TrainingRunOptions, client: StorageClient, close: () => Promise<void>) {
    this.#options = options;
    this.#client = client;
    this.#closers = [close];
  }

  static async open(options: TrainingRunOptions): Promise<TrainingRun> {
    const { client: chain, deployment } = options.network;
    const host = await createHost({ localNetwork: true });
    const client = createStorageClient({ chain, deployment, host });
    return new TrainingRun(options, client, async () => {
      await client.peers.close();
      await host.stop();
    });
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
  }

  async train() {
    const { datasetId } = this.#options;
    const made = await this.#make("training", digitsConfig, (session) => session);
    this.#honest = made;
    const { prepared, run, result } = made;
    const { program } = prepared.compiled;
    const { anchor } = await readAnchor(this.#client, datasetId);
    if (run.order.objectRoot !== anchor.objectRoot) {
      throw new AssayError(
        `the objects have the root ${run.order.objectRoot}, anchored is ${anchor.objectRoot}`,
      );
    }
    const { validation, options } = prepared;
    if (validation === undefined) throw new AssayError(`${digitsConfig} keeps nothing apart to validate on`);
    const { accuracy, samples } = await evaluateExact(
      nativeExecutor,
      program,
      result.state,
      validation,
      options,
    );
    if (accuracy === undefined || accuracy < leastAccuracy) {
      throw new AssayError(
        `the accuracy is ${percent(accuracy ?? 0)}, not at least ${percent(leastAccuracy)}`,
      );
    }
    return {
      accuracy: percent(accuracy),
      validatedOn: samples,
      steps: run.order.steps,
      trainingSeconds: result.steps.reduce((sum, { seconds }) => sum + seconds, 0),
      trainingHash: run.trainingHash,
      stateRoot: result.stateRoot,
      traceRoot: result.traceRoot,
    };
  }

  async replay() {
    const { run, result } = this.#honest!;
    const replays = await this.#replayed(this.#honest!, wasmExecutor);
    const wrong = replays.find(({ matches }) => !matches);
    if (wrong !== undefined) {
      throw new AssayError(
        `interval ${wrong.interval}: the trace says ${wrong.claimed.stateRoot}, ${wasmExecutor.name} finds ${wrong.found.stateRoot}`,
      );
    }
    const { stateRoot } = replays.at(-1)!.found;
    if (stateRoot !== result.stateRoot)
      throw new AssayError("the replay does not reach the run's last state");
    return { engine: wasmExecutor.name, intervals: replays.length, steps: run.order.steps, stateRoot };
  }

  async cheat() {
    const made = await this.#make("cheating", everyStepConfig, (session) => cheatingWorker(session, flip));
    const { program } = made.run;
    const found = (await this.#replayed(made, nativeExecutor)).at(-1)!;
    const { difference } = found;
    if (found.matches || difference?.firstStep !== flip.step || difference.lastStep !== flip.step) {
      throw new AssayError(`step ${flip.step} was wrong, found was ${difference?.firstStep ?? "nothing"}`);
    }
    const { element } = difference;
    if (element === undefined) throw new AssayError("the replay found the step, but not the element");
    requireFlipped(program, element);
    const { claimed, right, judgement, opening } = element;
    const opened = [...opening.inputs, opening.output].flatMap(({ leaves }) => leaves);
    return {
      step: difference.firstStep,
      node: describePlace(program, element.place),
      slot: element.slot,
      element: element.element,
      claimed: claimed.mantissa,
      right: right.mantissa,
      expectedFromLeaves: Number(judgement.expected.mantissa),
      leavesOpened: opened.length,
    };
  }

  /** Trains as a configuration says, on the stored dataset in the place of its own. */
  async #make(
    name: string,
    path: string,
    worker: (session: TrainingSession) => TrainingSession,
  ): Promise<Made> {
    const { datasetId, folder } = this.#options;
    const config: LoadedConfig = await loadConfig(path, datasetId);
    const target = join(folder, name);
    const prepared = await prepare({ config, folder: target, open: () => this.#open() });
    this.#closers.push(() => prepared.close());
    const { compiled, options, source, stepsPerEpoch } = prepared;
    const session = worker(await nativeExecutor.open(compiled.program, options));
    try {
      const run = await newRun({ path: target, config, prepared, session });
      const result = await train({
        run,
        session,
        source,
        checkpoint: { every: config.checkpoint.every ?? stepsPerEpoch, keep: config.checkpoint.keep },
        onEvent: (event) => {
          if (event.kind === "steps") this.#say(`train ${event.step}/${event.of} steps`);
        },
      });
      return { prepared, run, result };
    } finally {
      await session.close();
    }
  }

  async #replayed({ prepared, run }: Made, executor: Executor): Promise<IntervalReplay[]> {
    const { options, source } = prepared;
    const onStep = (done: number) => this.#say(`replay ${done}/${run.order.steps} steps`);
    const found: IntervalReplay[] = [];
    for await (const interval of replay({ run, executor, options, source, onStep })) found.push(interval);
    return found;
  }

  #open(): Promise<ObjectSequence> {
    const { datasetId, folder } = this.#options;
    this.#objects ??= openStoredObjects(this.#client, {
      datasetId,
      directory: join(folder, "training-downloads"),
      onProgress: ({ stage, done, total }) =>
        this.#say(`${stage} ${done}${total === undefined ? "" : `/${total}`}`),
    });
    return this.#objects;
  }

  #say(line: string): void {
    this.#options.onProgress?.(line);
  }
}

/** Holds what a replay found against what the worker did, and the judgement against both. */
function requireFlipped(program: Program, found: WrongElement): void {
  const optimizer = program.tapes[2];
  const [node] = optimizer[storeNode(optimizer, spaces.state, flip.slot)]!.inputs;
  const { place, element, claimed, right, judgement } = found;
  if (place.tape !== 2 || place.node !== node || element !== flip.element) {
    throw new AssayError(
      `node ${node} of the optimiser, element ${flip.element}, was wrong; found was element ${element} of ${describePlace(program, place)}`,
    );
  }
  if ((claimed.mantissa ^ right.mantissa) !== 1 << flip.bit) {
    throw new AssayError(`bit ${flip.bit} was flipped; found was ${claimed.mantissa} for ${right.mantissa}`);
  }
  if (judgement.right || judgement.expected.mantissa !== BigInt(right.mantissa)) {
    throw new AssayError("the reference does not find the claim wrong from the opened leaves alone");
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
