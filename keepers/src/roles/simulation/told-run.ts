import { bytesToHex, type Hex } from "viem";
import { commitTensor, intervalSalt, StateHasher, witnessHash } from "../../core/exact/commitment.ts";
import { evaluateNode } from "../../core/exact/ops/evaluate.ts";
import { stateTensors } from "../../core/exact/ops/step.ts";
import { readerOf } from "../../core/exact/ops/tensor.ts";
import type { OperationContext } from "../../core/exact/ops/types.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { learningRateAt } from "../../core/exact/schedule.ts";
import { spaces, type TapeNode, type Tensor } from "../../core/exact/tape/types.ts";
import type { ClaimedRun, LeafClaim } from "../../training/dispute/claimed-run.ts";
import { ComputedStep, placeNumber } from "../../training/dispute/computed-step.ts";
import { traceTreeOf } from "../../training/dispute/leaves.ts";
import { type ObjectEvidence, openObject } from "../../training/dispute/objects.ts";
import type { ObjectPlace } from "../../training/dispute/own-run.ts";
import { nodeAt, type Place } from "../../training/trace/place.ts";
import { storeNode } from "../../training/trace/trace-step.ts";
import { bytesOf, type TinyJob } from "./tiny-job.ts";

const anyRange = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
type State = readonly Int32Array[];

/** Where a run departs from what was ordered. Steps, slots and places count from 0. */
export type Departure = {
  /** Another tensor where the node gives this one. */
  readonly tensor?: (step: number, place: number, right: Tensor) => Tensor;
  /** Another node than the program's. */
  readonly node?: (step: number, place: number, node: TapeNode) => TapeNode;
  /** Another rate than the order's. */
  readonly rate?: (step: number, rate: number) => number;
  /** Another object than the order's. */
  readonly object?: (step: number, index: number) => number;
  /** Another state after a step than what it stored. */
  readonly state?: (step: number, stored: Int32Array[], before: State) => State;
  /** Another root than the state's, after so many steps. */
  readonly root?: (steps: number, root: Hex) => Hex;
  /** Another witness commitment than the step's. */
  readonly witness?: (step: number, witness: Hex) => Hex;
  /** Another hash of an interval's witnesses than theirs. */
  readonly hidden?: (interval: number, h: Hex) => Hex;
};

type ToldStep = { readonly computed: ComputedStep; readonly after: State };

/** What somebody says that a job computed, held in memory: the right run, or one that departs from it somewhere. */
export class ToldRun implements ClaimedRun {
  readonly job: TinyJob;
  readonly #departure: Departure;
  readonly #right: ToldRun | undefined;
  readonly #secret: Uint8Array;
  readonly #hasher: StateHasher;
  readonly #states: State[];
  readonly #roots: Hex[] = [];
  readonly #witnesses: Hex[] = [];
  readonly #steps: ToldStep[] = [];
  readonly #leaves: LeafClaim[];

  /**
   * @param secret of the salts, 32 bytes
   * @param right the right run: what a departing one shares with it is not computed again
   * @param first the first step that departs
   */
  constructor(
    job: TinyJob,
    secret: Hex,
    departing?: { readonly departure: Departure; readonly right: ToldRun; readonly first: number },
  ) {
    this.job = job;
    this.#secret = bytesOf(secret);
    this.#departure = departing?.departure ?? {};
    this.#right = departing?.right;
    this.#hasher = new StateHasher(job.program);
    const { root, witness } = this.#departure;
    this.#states = [initialState(job.program, job.order.seed)];
    this.#roots.push(this.#rootOf(this.#states[0]!));
    for (let step = 0; step < job.order.steps; step++) {
      const isShared = departing !== undefined && step < departing.first;
      const told = isShared ? departing.right.#steps[step]! : this.#execute(step);
      this.#steps.push(told);
      this.#states.push(told.after);
      const after = isShared ? departing.right.#roots[step + 1]! : this.#rootOf(told.after);
      this.#roots.push(root?.(step + 1, after) ?? after);
      const place = this.#witnessPlace;
      const seen = isShared
        ? departing.right.#witnesses[step]!
        : bytesToHex(commitTensor(told.computed.tensors[place]!, anyRange));
      this.#witnesses.push(witness?.(step, seen) ?? seen);
    }
    this.#leaves = Array.from({ length: job.intervals + 1 }, (_, leaf) => ({
      stateRoot: this.#roots[Math.min(leaf * job.order.interval, job.order.steps)]!,
      h: this.#h(leaf),
    }));
  }

  get program() {
    return this.job.program;
  }

  get order() {
    return this.job.order;
  }

  /** Root over the leaves. */
  get traceRoot(): Hex {
    return bytesToHex(traceTreeOf(this.#leaves).root);
  }

  get publishedLeaves(): readonly LeafClaim[] {
    return this.#leaves;
  }

  leaves(): Promise<readonly LeafClaim[]> {
    return Promise.resolve(this.#leaves);
  }

  salt(interval: number): Hex {
    return bytesToHex(intervalSalt(this.#secret, interval));
  }

  stateRoots(steps: readonly number[]): Promise<readonly Hex[]> {
    return Promise.resolve(steps.map((step) => this.#roots[step]!));
  }

  state(steps: number): State {
    return this.#states[steps]!;
  }

  slots(steps: number): Promise<readonly Hex[]> {
    const hashes = this.#hasher.commitments(this.#states[steps]!);
    return Promise.resolve(hashes.map((hash) => bytesToHex(hash)));
  }

  witnesses(interval: number): Promise<readonly Hex[]> {
    return Promise.resolve(this.#witnessesOf(interval));
  }

  step(step: number): Promise<ComputedStep> {
    return Promise.resolve(this.#steps[step]!.computed);
  }

  object({ step, microBatch, row, ...bytes }: ObjectPlace): Promise<ObjectEvidence> {
    return openObject(this.job.source, this.job.objectAt(step, microBatch, row), bytes);
  }

  /** Hash of a whole state, for who makes another. */
  #rootOf(state: State): Hex {
    return bytesToHex(this.#hasher.root(state));
  }

  #witnessesOf(interval: number): Hex[] {
    const first = interval * this.order.interval;
    return this.#witnesses.slice(first, first + this.order.interval);
  }

  #h(leaf: number): Hex {
    if (leaf === 0) return `0x${"00".repeat(32)}`;
    const interval = leaf - 1;
    const seen = this.#witnessesOf(interval).map(bytesOf);
    const h = bytesToHex(witnessHash(bytesOf(this.salt(interval)), seen));
    return this.#departure.hidden?.(interval, h) ?? h;
  }

  get #witnessPlace(): number {
    return this.#number({ tape: 0, node: this.program.witness, microBatch: this.order.microBatches - 1 });
  }

  #number(place: Place): number {
    return placeNumber(this.program, this.order.microBatches, place);
  }

  #execute(step: number): ToldStep {
    const { job, program, order } = this;
    const { tensor: another, node: otherNode, state: otherState } = this.#departure;
    const state = this.#states[step]!;
    const tensors: Tensor[] = [];
    for (const [number, place] of job.places.entries()) {
      const ordered = nodeAt(program, place);
      const node = otherNode?.(step, number, ordered) ?? ordered;
      const inputs = node.inputs.map((input) => tensors[this.#number({ ...place, node: input })]!);
      const right = this.#evaluate(step, place, node, inputs, tensors, state);
      tensors.push(another?.(step, number, right) ?? right);
    }
    const stored = program.state.map((_, slot) => {
      const node = storeNode(program.tapes[2], spaces.state, slot);
      const { mantissas } = tensors[this.#number({ tape: 2, node, microBatch: 0 })]!;
      // A state holds no lower number, whatever was stored.
      return Int32Array.from(mantissas, (mantissa) => Math.max(mantissa, -(2 ** 31 - 1)));
    });
    const computed = new ComputedStep({ program, order, step, tensors });
    return { computed, after: otherState?.(step, stored, state) ?? stored };
  }

  /** Behind some departures nothing is defined: then it goes on as if there were none. */
  #evaluate(
    step: number,
    place: Place,
    node: TapeNode,
    inputs: readonly Tensor[],
    tensors: readonly Tensor[],
    state: State,
  ): Tensor {
    try {
      return evaluateNode(this.#context(step, place, tensors, state), node, inputs);
    } catch (error) {
      if (this.#right === undefined) throw error;
      return this.#right.#steps[step]!.computed.tensors[this.#number(place)]!;
    }
  }

  #context(step: number, { microBatch }: Place, tensors: readonly Tensor[], state: State): OperationContext {
    const { job, program, order } = this;
    const { object: otherObject, rate: otherRate } = this.#departure;
    const rate = learningRateAt(order.schedule, step);
    return {
      bits: program.bits,
      microBatch: program.microBatch,
      object: (row) => {
        const ordered = job.objectAt(step, microBatch, row);
        return job.objects[otherObject?.(step, ordered) ?? ordered]!;
      },
      slot: (space, slot) => {
        if (space === spaces.state) return readerOf(stateTensors(program, state)[slot]!);
        const node = storeNode(program.tapes[1], space, slot);
        return readerOf(tensors[this.#number({ tape: 1, node, microBatch: 0 })]!);
      },
      gradients: (slot) => {
        const node = storeNode(program.tapes[0], spaces.microBatchGradient, slot);
        return Array.from({ length: order.microBatches }, (_, j) =>
          readerOf(tensors[this.#number({ tape: 0, node, microBatch: j })]!),
        );
      },
      learningRate: otherRate?.(step, rate) ?? rate,
    };
  }
}
