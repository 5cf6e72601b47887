import type { Hex } from "viem";
import type { TrainingOrder } from "../../core/exact/order.ts";
import type { Asked } from "./asked.ts";
import type { ClaimedRun, LeafClaim } from "./claimed-run.ts";
import type { TrainingClaim } from "./moves.ts";
import type { ObjectPlace } from "./own-run.ts";

/** The first steps of a run, as far as one of its checkpoints was committed to. */
export class PrefixRun implements ClaimedRun {
  /** As the run's, but for its length. */
  readonly order: TrainingOrder;
  readonly #run: ClaimedRun;
  #cut: { readonly from: readonly LeafClaim[]; readonly leaves: readonly LeafClaim[] } | undefined;

  /** @param steps a multiple of the interval, below the run's own */
  constructor(run: ClaimedRun, steps: number) {
    this.#run = run;
    this.order = { ...run.order, steps };
  }

  get program() {
    return this.#run.program;
  }

  async leaves(): Promise<readonly LeafClaim[]> {
    const from = await this.#run.leaves();
    const { steps, interval } = this.order;
    // The same array as long as it can be: trees are kept by it.
    if (this.#cut?.from !== from) this.#cut = { from, leaves: from.slice(0, steps / interval + 1) };
    return this.#cut.leaves;
  }

  salt(interval: number): Hex {
    return this.#run.salt(interval);
  }

  stateRoots(steps: readonly number[]) {
    return this.#run.stateRoots(steps);
  }

  slots(steps: number) {
    return this.#run.slots(steps);
  }

  witnesses(interval: number) {
    return this.#run.witnesses(interval);
  }

  step(step: number, asked?: Asked) {
    return this.#run.step(step, asked);
  }

  object(place: ObjectPlace) {
    return this.#run.object(place);
  }
}

/** The part of a run that a claim is about: all of it, or up to a checkpoint. */
export function claimedPart(run: ClaimedRun, { steps }: Pick<TrainingClaim, "steps">): ClaimedRun {
  return Number(steps) === run.order.steps ? run : new PrefixRun(run, Number(steps));
}
