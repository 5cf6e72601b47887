import type { Asked } from "./asked.ts";
import type { ClaimedRun } from "./claimed-run.ts";
import type { ObjectPlace, OwnRun } from "./own-run.ts";

/** A run, in a round that asks about a part of a step: the step is computed with that part. */
export class RoundRun<R extends OwnRun = OwnRun> implements OwnRun {
  protected readonly run: R;
  readonly #asked: Asked | undefined;

  constructor(run: R, asked: Asked | undefined) {
    this.run = run;
    this.#asked = asked;
  }

  get program() {
    return this.run.program;
  }

  get order() {
    return this.run.order;
  }

  stateRoots(steps: readonly number[]) {
    return this.run.stateRoots(steps);
  }

  slots(steps: number) {
    return this.run.slots(steps);
  }

  witnesses(interval: number) {
    return this.run.witnesses(interval);
  }

  step(step: number) {
    return this.run.step(step, this.#asked);
  }

  object(place: ObjectPlace) {
    return this.run.object(place);
  }
}

/** The run that a provider committed to, in such a round. */
export class ClaimedRoundRun extends RoundRun<ClaimedRun> implements ClaimedRun {
  leaves() {
    return this.run.leaves();
  }

  salt(interval: number) {
    return this.run.salt(interval);
  }
}
