import type { Program } from "../../core/exact/tape/types.ts";
import { elementCount } from "../onnx/types.ts";
import { costOf, planChecks } from "./contractions.ts";
import { accumulatorBytes } from "./serialize.ts";
import { defaultErrorBits } from "./verify.ts";

/** How the next steps are to be taken: some executed in one go, or one verified from the sums that are handed over. */
export type Way = { readonly way: "execute" | "verify"; readonly steps: number };

/** Decides step by step how a run is computed again, from what either way was seen to cost. */
export interface WayChooser {
  /** @param left steps from here on of which sums can be had, one after another; at least 1 */
  next(left: number): Way;
  /** Tells what executing steps took, in seconds. */
  executed(steps: number, seconds: number): void;
  /** Tells what verifying a step took without the transfer, in seconds. */
  verified(seconds: number): void;
  /** From now on everything is executed. */
  giveUp(): void;
}

export type CheapestWayParameters = {
  readonly program: Program;
  readonly microBatches: number;
  /** What the link to the provider carries, in bytes a second; 0: nothing is ever asked for. */
  readonly bytesPerSecond: number;
  /** −log2 of the error of a verification; 60 by default. */
  readonly errorBits?: number;
};

/** Measurements of a way before it is believed: the first one warms the engine up. */
const trials = 2;
/** Fewer steps do not pay for opening the verifier's graphs. */
const leastSteps = 8;

/**
 * Verifies where that is cheaper. A step costs what its engine takes, and what is transferred for it. First steps are
 * executed, to learn what that takes. Whether verifying is tried at all follows from a bound: besides the products a
 * verification does no less than an execution, and of the products it does the share that the program gives. What is tried
 * is then measured, and the cheaper way taken.
 */
export class CheapestWay implements WayChooser {
  readonly #transfer: number;
  readonly #share: number;
  #executions = 0;
  #verifications = 0;
  #execute = Number.POSITIVE_INFINITY;
  #verify = Number.POSITIVE_INFINITY;
  #gaveUp = false;

  constructor({ program, microBatches, bytesPerSecond, errorBits }: CheapestWayParameters) {
    this.#transfer = (microBatches * accumulatorBytes(program)) / bytesPerSecond;
    this.#share = verificationShare(program, errorBits);
  }

  next(left: number): Way {
    const everything: Way = { way: "execute", steps: left };
    if (this.#gaveUp || this.#transfer >= this.#execute) return everything;
    if (this.#executions < trials) return { way: "execute", steps: 1 };
    const isTried = this.#verifications >= trials;
    if (!isTried && this.#verifications === 0 && left < leastSteps) return everything;
    const verify = isTried ? this.#verify : this.#share * this.#execute;
    return verify + this.#transfer < this.#execute ? { way: "verify", steps: 1 } : everything;
  }

  executed(steps: number, seconds: number): void {
    this.#executions++;
    this.#execute = Math.min(this.#execute, seconds / steps);
  }

  verified(seconds: number): void {
    this.#verifications++;
    this.#verify = Math.min(this.#verify, seconds);
  }

  giveUp(): void {
    this.#gaveUp = true;
  }
}

/** Multiply-adds of the checks of a program's products over those of the products themselves. */
export function verificationShare(program: Program, errorBits: number = defaultErrorBits): number {
  const checks = planChecks(program, errorBits);
  const products = checks.reduce((sum, { sums }) => sum + elementCount(sums.shape) * sums.terms, 0);
  return checks.reduce((sum, check) => sum + costOf(program, check), 0) / products;
}
