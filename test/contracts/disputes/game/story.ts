import { bytesToHex, concatHex, type Hex, hexToBytes, keccak256, toHex } from "viem";
import {
  commitTensor,
  intervalSalt,
  StateHasher,
  traceLeaf,
  witnessHash,
} from "../../../../keepers/src/core/exact/commitment.ts";
import { evaluateNode } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { stateTensors } from "../../../../keepers/src/core/exact/ops/step.ts";
import { readerOf } from "../../../../keepers/src/core/exact/ops/tensor.ts";
import type { OperationContext } from "../../../../keepers/src/core/exact/ops/types.ts";
import { encodeOrder, samplesOf, type TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import type { SampleOrder } from "../../../../keepers/src/core/exact/random/order.ts";
import { learningRateAt } from "../../../../keepers/src/core/exact/schedule.ts";
import { encodeDescriptor, programTree } from "../../../../keepers/src/core/exact/tape/descriptor.ts";
import type { Program, Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { spaces } from "../../../../keepers/src/core/exact/tape/types.ts";
import { type Place, placesOf } from "../../../../keepers/src/training/trace/place.ts";
import { storeNode } from "../../../../keepers/src/training/trace/trace-step.ts";
import { CommittedTensor } from "../openings.ts";
import { Tree } from "./tree.ts";

const anyRange = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
export const leafOf = (bytes: Hex): Hex => keccak256(concatHex(["0x00", bytes]));

/** A job: a program, the objects it learns from, and the order of both. */
export class Job {
  readonly program: Program;
  readonly objects: readonly Uint8Array[];
  readonly order: TrainingOrder;
  readonly places: readonly Place[];
  readonly objectTree: Tree;
  readonly secret = new Uint8Array(32).fill(9);
  readonly #descriptors = new Map<string, Hex>();
  #samples: SampleOrder | undefined;
  readonly #programTree: ReturnType<typeof programTree>;

  constructor(
    program: Program,
    objects: readonly Uint8Array[],
    size: Pick<TrainingOrder, "microBatches" | "steps" | "interval" | "datasetId"> &
      Partial<Pick<TrainingOrder, "initialRoot">>,
  ) {
    this.program = program;
    this.objects = objects;
    this.objectTree = new Tree(objects.map((object) => this.chunkTree(object).root));
    this.#programTree = programTree(program);
    const seed: Hex = `0x${"05".repeat(32)}`;
    this.order = {
      bits: program.bits,
      programRoot: bytesToHex(this.#programTree.root),
      initialRoot: bytesToHex(new StateHasher(program).root(initialState(program, seed))),
      objectRoot: this.objectTree.root,
      objects: objects.length,
      objectBytes: objects[0]!.length,
      train: objects.length,
      seed,
      microBatch: program.microBatch,
      ...size,
      schedule: { table: [3000, 2000, 1000], every: 2 },
    };
    this.places = placesOf(program, size.microBatches);
  }

  chunksOf(object: Uint8Array): Hex[] {
    const count = Math.ceil(object.length / 1024);
    return Array.from({ length: count }, (_, i) => toHex(object.subarray(1024 * i, 1024 * (i + 1))));
  }

  chunkTree(object: Uint8Array): Tree {
    return new Tree(this.chunksOf(object).map(leafOf));
  }

  get encodedOrder(): Hex {
    return encodeOrder(this.order);
  }

  get intervals(): number {
    return Math.ceil(this.order.steps / this.order.interval);
  }

  stepsOf(interval: number): number[] {
    const first = interval * this.order.interval;
    const count = Math.min(this.order.interval, this.order.steps - first);
    return Array.from({ length: count }, (_, i) => first + i);
  }

  objectAt(step: number, microBatch: number, row: number): number {
    this.#samples ??= samplesOf(this.order);
    return this.#samples.sample(step, microBatch, row);
  }

  descriptor(tape: number, node: number): Hex {
    const key = `${tape} ${node}`;
    const known = this.#descriptors.get(key);
    if (known !== undefined) return known;
    const bytes = bytesToHex(encodeDescriptor(this.program, tape, node));
    this.#descriptors.set(key, bytes);
    return bytes;
  }

  descriptorProof(tape: number, node: number): Hex[] {
    const before = this.program.tapes.slice(0, tape).reduce((sum, nodes) => sum + nodes.length, 0);
    return this.#programTree.proof(before + node).map((hash) => bytesToHex(hash));
  }

  /** Number of a node's tensor in the list of its step. */
  placeOf(tape: number, node: number, microBatch = 0): number {
    const { tapes } = this.program;
    if (tape === 0) return microBatch * tapes[0].length + node;
    const first = this.order.microBatches * tapes[0].length;
    return tape === 1 ? first + node : first + tapes[1].length + node;
  }

  get witnessPlace(): number {
    return this.placeOf(0, this.program.witness, this.order.microBatches - 1);
  }

  /** What a node reads besides its inputs. */
  contextOf(
    step: number,
    place: Place,
    state: readonly Int32Array[],
    tensors: readonly Tensor[],
  ): OperationContext {
    const { program } = this;
    return {
      bits: program.bits,
      microBatch: program.microBatch,
      object: (row) => this.objects[this.objectAt(step, place.microBatch, row)]!,
      slot: (space, slot) =>
        readerOf(
          space === spaces.state
            ? stateTensors(program, state)[slot]!
            : tensors[this.placeOf(1, storeNode(program.tapes[1], space, slot))]!,
        ),
      gradients: (slot) => {
        const store = storeNode(program.tapes[0], spaces.microBatchGradient, slot);
        return Array.from({ length: this.order.microBatches }, (_, j) =>
          readerOf(tensors[this.placeOf(0, store, j)]!),
        );
      },
      learningRate: learningRateAt(this.order.schedule, step),
    };
  }

  inputsOf({ tape, microBatch, node }: Place): number[] {
    return this.program.tapes[tape][node]!.inputs.map((input) => this.placeOf(tape, input, microBatch));
  }
}

/** A lie in one step: a tensor that is another one, or a state that is not what was stored. */
export type Lie = { readonly step: number } & (
  | { readonly place: number; readonly change: (tensor: Tensor) => Tensor }
  | { readonly state: (state: readonly Int32Array[]) => Int32Array[] }
);

/** One step of a run: the state before and after it, and all its tensors. */
export type OneStep = {
  readonly step: number;
  readonly state: Int32Array[];
  readonly after: Int32Array[];
  readonly tensors: Tensor[];
};

/** What one party says was computed; after a lie it goes on honestly. */
export class Story {
  readonly job: Job;
  /** State before each step, and after the last. */
  readonly states: Int32Array[][];
  readonly roots: Hex[] = [];
  readonly witnesses: Hex[] = [];
  #trace: Tree | undefined;
  readonly #hasher: StateHasher;
  readonly #steps: Tensor[][] = [];
  readonly #lists = new Map<number, { tree: Tree; commitments: Hex[] }>();
  readonly #committed = new Map<string, CommittedTensor>();

  constructor(job: Job, lie?: Lie, honest?: Story, only?: OneStep) {
    this.job = job;
    this.#hasher = new StateHasher(job.program);
    if (only !== undefined) {
      this.states = [];
      this.#tellOne(only);
      return;
    }
    this.states = [initialState(job.program, job.order.seed)];
    this.roots.push(this.rootOf(this.states[0]!));
    for (let step = 0; step < job.order.steps; step++) {
      const isSame = honest !== undefined && lie !== undefined && step < lie.step;
      const tensors = isSame
        ? honest.tensors(step)
        : this.#run(step, lie?.step === step ? lie : undefined, honest);
      this.#steps.push(tensors);
      const stored = job.program.state.map((_, slot) => {
        const store = storeNode(job.program.tapes[2], spaces.state, slot);
        return Int32Array.from(tensors[job.placeOf(2, store)]!.mantissas);
      });
      const state = lie !== undefined && lie.step === step && "state" in lie ? lie.state(stored) : stored;
      this.states.push(state);
      this.roots.push(this.rootOf(state));
      this.witnesses.push(toHex(commitTensor(tensors[job.witnessPlace]!, anyRange)));
    }
  }

  /** A run of any length of which one step exists: the other states are arbitrary hashes. */
  static ofStep(job: Job, only: OneStep): Story {
    return new Story(job, undefined, undefined, only);
  }

  /** The same story but for one tensor of one step, on which nothing else depends. */
  withTensor(step: number, place: number, tensor: Tensor): Story {
    const tensors = this.tensors(step).slice();
    tensors[place] = tensor;
    const commitments = this.list(step).commitments.slice();
    commitments[place] = toHex(commitTensor(tensor, anyRange));
    const { states } = this;
    const story = Story.ofStep(this.job, { step, state: states[step]!, after: states[step + 1]!, tensors });
    story.#lists.set(step, { tree: new Tree(commitments), commitments });
    return story;
  }

  #tellOne({ step, state, after, tensors }: OneStep): void {
    const { steps } = this.job.order;
    // Bytes like those of hashes, none of them zero for nothing: they are what a move pays for.
    const word = (name: string): bigint => BigInt(keccak256(toHex(name)));
    const stride = word("stride") | 1n;
    const [firstRoot, firstWitness] = [word("root"), word("witness")];
    const made = (first: bigint, i: number): Hex =>
      toHex(BigInt.asUintN(256, first + BigInt(i + 1) * stride), { size: 32 });
    this.states[step] = state;
    this.states[step + 1] = after;
    this.#steps[step] = tensors;
    for (let i = 0; i <= steps; i++) {
      this.roots.push(
        i === step ? this.rootOf(state) : i === step + 1 ? this.rootOf(after) : made(firstRoot, i),
      );
      if (i === steps) break;
      const isTold = i === step;
      this.witnesses.push(
        isTold ? toHex(commitTensor(tensors[this.job.witnessPlace]!, anyRange)) : made(firstWitness, i),
      );
    }
  }

  rootOf(state: readonly Int32Array[]): Hex {
    return toHex(this.#hasher.root(state));
  }

  stateTree(step: number): Tree {
    return new Tree(this.#hasher.commitments(this.states[step]!).map((hash) => leafOf(toHex(hash))));
  }

  tensors(step: number): Tensor[] {
    return this.#steps[step]!;
  }

  /** The list of a step's tensors. */
  list(step: number): { tree: Tree; commitments: Hex[] } {
    let known = this.#lists.get(step);
    if (known === undefined) {
      const commitments = this.tensors(step).map((tensor) => toHex(commitTensor(tensor, anyRange)));
      known = { tree: new Tree(commitments), commitments };
      this.#lists.set(step, known);
    }
    return known;
  }

  committed(step: number, place: number): CommittedTensor {
    const key = `${step} ${place}`;
    let known = this.#committed.get(key);
    if (known === undefined) {
      known = new CommittedTensor(this.tensors(step)[place]!);
      this.#committed.set(key, known);
    }
    return known;
  }

  dataTree(step: number, place: number): Tree {
    const { tree } = this.committed(step, place);
    return new Tree(Array.from({ length: tree.geometry.leaves }, (_, i) => leafOf(toHex(tree.leaf(i)))));
  }

  salt(interval: number): Hex {
    return toHex(intervalSalt(this.job.secret, interval));
  }

  witnessesOf(interval: number): Hex[] {
    return this.job.stepsOf(interval).map((step) => this.witnesses[step]!);
  }

  /** h of the interval that ends at a leaf; zero for leaf 0. */
  h(leaf: number): Hex {
    if (leaf === 0) return `0x${"00".repeat(32)}`;
    const witnesses = this.witnessesOf(leaf - 1).map((witness) => hexToBytes(witness));
    return toHex(witnessHash(hexToBytes(this.salt(leaf - 1)), witnesses));
  }

  traceRootAt(leaf: number): Hex {
    return this.roots[Math.min(leaf * this.job.order.interval, this.job.order.steps)]!;
  }

  trace(): Tree {
    this.#trace ??= new Tree(
      Array.from({ length: this.job.intervals + 1 }, (_, leaf) =>
        leafOf(toHex(traceLeaf(hexToBytes(this.traceRootAt(leaf)), hexToBytes(this.h(leaf))))),
      ),
    );
    return this.#trace;
  }

  #run(step: number, lie: Lie | undefined, honest: Story | undefined): Tensor[] {
    const { job } = this;
    const state = this.states[step]!;
    const tensors: Tensor[] = [];
    for (const [number, place] of job.places.entries()) {
      const node = job.program.tapes[place.tape][place.node]!;
      const inputs = job.inputsOf(place).map((input) => tensors[input]!);
      let tensor: Tensor;
      try {
        tensor = evaluateNode(job.contextOf(step, place, state, tensors), node, inputs);
      } catch (error) {
        // Behind some lies nothing is defined: then it goes on as if there were none.
        if (lie === undefined || honest === undefined) throw error;
        tensor = honest.tensors(step)[number]!;
      }
      tensors.push(lie !== undefined && "place" in lie && lie.place === number ? lie.change(tensor) : tensor);
    }
    return tensors;
  }
}
