import { bytesToHex, type Hex, hexToBytes } from "viem";
import { intervalSalt, traceLength } from "../../core/exact/commitment.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { spaces, type Tensor } from "../../core/exact/tape/types.ts";
import type { StepInput } from "../executors/types.ts";
import { stateRootOf } from "../trace/commitments.ts";
import { nearestState } from "../trace/nearest-state.ts";
import { storeNode } from "../trace/trace-step.ts";
import { leafAt, readLogs } from "../trainer/progress.ts";
import type { RunFolder } from "../trainer/run-folder.ts";
import type { Asked } from "./asked.ts";
import type { ComputedStep } from "./computed-step.ts";
import { RunEvidenceError } from "./errors.ts";
import type { ObjectEvidence } from "./objects.ts";
import { ExecutedRun, type ExecutedRunParameters, type ObjectPlace, type OwnRun } from "./own-run.ts";

/** A leaf of a trace, opened: the state root, and the hash of the salted witnesses before it (zero for leaf 0). */
export type LeafClaim = { readonly stateRoot: Hex; readonly h: Hex };

/** The run that a provider committed to: what it answers from. */
export interface ClaimedRun extends OwnRun {
  /** All leaves of the trace. */
  leaves(): Promise<readonly LeafClaim[]>;
  /** Salt of an interval's witnesses. */
  salt(interval: number): Hex;
}

export type FolderRunParameters = Omit<ExecutedRunParameters, "program" | "order" | "nearest"> & {
  readonly run: RunFolder;
};

/**
 * The run of a folder: its trace and witnesses as they were committed to, the rest executed again from its checkpoints.
 * Where what was stored is not what the step gives, it answers with what was stored.
 */
export class FolderRun implements ClaimedRun {
  readonly #run: RunFolder;
  readonly #executed: ExecutedRun;
  /** Steps as they were stored, by how they were computed: their lists are long. */
  readonly #stored = new WeakMap<ComputedStep, ComputedStep>();
  #leaves: Promise<{ leaves: readonly LeafClaim[]; witnesses: readonly (readonly Hex[])[] }> | undefined;

  constructor({ run, ...parameters }: FolderRunParameters) {
    const { program, order } = run;
    this.#run = run;
    this.#executed = new ExecutedRun({
      ...parameters,
      program,
      order,
      nearest: async (step) => {
        const { leaves } = await this.#logs();
        const checkpoint = await nearestState(run, leaves, step);
        return checkpoint ?? { step: 0, state: initialState(program, order.seed) };
      },
    });
  }

  get program() {
    return this.#run.program;
  }

  get order() {
    return this.#run.order;
  }

  close(): Promise<void> {
    return this.#executed.close();
  }

  async leaves(): Promise<readonly LeafClaim[]> {
    return (await this.#logs()).leaves;
  }

  salt(interval: number): Hex {
    return bytesToHex(intervalSalt(hexToBytes(this.#run.secret), interval));
  }

  async stateRoots(steps: readonly number[]): Promise<readonly Hex[]> {
    const { leaves } = await this.#logs();
    const claimed = steps.map((step) => {
      const leaf = leafAt(this.#run, step);
      return leaf === undefined ? undefined : leaves[leaf]?.stateRoot;
    });
    const others = steps.filter((_, i) => claimed[i] === undefined);
    const found = [...(await this.#executed.stateRoots(others))];
    return claimed.map((root) => root ?? found.shift()!);
  }

  slots(steps: number): Promise<readonly Hex[]> {
    return this.#executed.slots(steps);
  }

  /** The state after so many steps, computed again. */
  state(steps: number): Promise<readonly Int32Array[]> {
    return this.#executed.state(steps);
  }

  /** What a step reads besides the state. */
  input(step: number): Promise<StepInput> {
    return this.#executed.input(step);
  }

  async witnesses(interval: number): Promise<readonly Hex[]> {
    const { witnesses } = await this.#logs();
    const claimed = witnesses[interval];
    if (claimed === undefined) {
      throw new RunEvidenceError(`${this.#run.path} holds no witnesses of interval ${interval}.`);
    }
    return claimed;
  }

  async step(step: number, asked?: Asked): Promise<ComputedStep> {
    const computed = await this.#executed.step(step, asked);
    const known = this.#stored.get(computed);
    if (known !== undefined) return known;
    const claimed = await this.#asStored(computed);
    this.#stored.set(computed, claimed);
    return claimed;
  }

  /** The step as it was stored, where that is not what it gives. */
  async #asStored(computed: ComputedStep): Promise<ComputedStep> {
    const { program } = this;
    const after = computed.step + 1;
    const optimizer = program.tapes[2];
    const stores = program.state.map((_, slot) =>
      computed.numberOf(2, storeNode(optimizer, spaces.state, slot)),
    );
    const stored = stores.map((number) => computed.tensors[number]!.mantissas as Int32Array);
    const [root] = await this.#executed.stateRoots([after]);
    if (root === stateRootOf(program, stored)) return computed;
    const state = await this.#executed.state(after);
    const changed = new Map<number, Tensor>();
    for (const [slot, number] of stores.entries()) {
      const tensor = computed.tensors[number]!;
      if (state[slot]!.every((mantissa, i) => mantissa === tensor.mantissas[i])) continue;
      const claimed: Tensor = { ...tensor, mantissas: state[slot]! };
      changed.set(number, claimed);
      // What was stored came from somewhere; a slot that is kept as it was has a LOAD there, which must stay.
      const input = optimizer[storeNode(optimizer, spaces.state, slot)]!.inputs[0]!;
      if (optimizer[input]!.opcode !== "LOAD") changed.set(computed.numberOf(2, input), claimed);
    }
    return computed.with(changed);
  }

  object(place: ObjectPlace): Promise<ObjectEvidence> {
    return this.#executed.object(place);
  }

  #logs() {
    const { steps, interval } = this.order;
    this.#leaves ??= readLogs(this.#run).then(({ trace, witnesses }) => {
      // Of a run that is still under way there will be more to read.
      if (trace.length < traceLength(steps, interval)) this.#leaves = undefined;
      return { leaves: trace.map(({ stateRoot, h }) => ({ stateRoot, h })), witnesses };
    });
    this.#leaves.catch(() => {
      this.#leaves = undefined;
    });
    return this.#leaves;
  }
}
