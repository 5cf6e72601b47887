import { randomBytes } from "node:crypto";
import type { Seed } from "../../core/exact/random/philox.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import type { Engine } from "../executors/ort.ts";
import type {
  Executor,
  ExecutorOptions,
  StepInput,
  StepOutput,
  TrainingSession,
} from "../executors/types.ts";
import type { Way, WayChooser } from "./cheapest-way.ts";
import { decodeAccumulators } from "./serialize.ts";
import { openVerifier, type Verifier } from "./verify.ts";

/** Where the sums of steps are asked for. */
export interface SumsSource {
  /** Steps from this one on, without a gap, of which sums can be asked for; 0 when it is none itself. */
  offered(step: number): number;
  /** The sums of a step as bytes, from a stranger. @throws whatever keeps it from answering */
  sums(step: number): Promise<Uint8Array>;
}

export type CheckedSessionParameters = {
  readonly program: Program;
  readonly options: ExecutorOptions;
  /** What steps are executed with. */
  readonly executor: Executor;
  /** What they are verified with. */
  readonly engine: Engine;
  /** Step with which the session begins. */
  readonly firstStep: number;
  readonly source: SumsSource;
  /** Shared by all sessions that compute for one purpose: what it has given up stays so. */
  readonly chooser: WayChooser;
  /** Told how steps were taken, and why one was not verified. */
  readonly onSteps?: (way: "executed" | "verified", steps: number) => void;
  readonly onGivenUp?: (step: number, reason: string) => void;
  /** Draws 32 bytes after sums have come; from the system by default. */
  readonly draw?: () => Seed;
};

/**
 * Opens a session that computes a run again by the cheaper way: a step is executed, or verified from sums that a stranger
 * hands over. Both give the same state and the same witness; a wrong step is taken for right with probability at most
 * 2^−60. Sums that are missing, malformed or wrong refuse nobody: the step is executed, and no further sums are asked for,
 * so that there is one attempt at being lucky and not one for every step.
 */
export async function openCheckedSession(parameters: CheckedSessionParameters): Promise<TrainingSession> {
  const { program, options, executor } = parameters;
  return new CheckedSession(parameters, await executor.open(program, options));
}

class CheckedSession implements TrainingSession {
  readonly program: Program;
  readonly #parameters: CheckedSessionParameters;
  readonly #executing: TrainingSession;
  #verifier: Verifier | undefined;
  #step: number;
  /** The state, while it is not with the executor. */
  #state: readonly Int32Array[] | undefined;

  constructor(parameters: CheckedSessionParameters, executing: TrainingSession) {
    this.program = parameters.program;
    this.#parameters = parameters;
    this.#executing = executing;
    this.#step = parameters.firstStep;
  }

  async setState(state: readonly Int32Array[]): Promise<void> {
    await this.#executing.setState(state);
    this.#state = undefined;
  }

  async getState(): Promise<Int32Array[]> {
    return this.#state?.map((values) => values.slice()) ?? (await this.#executing.getState());
  }

  async run(inputs: readonly StepInput[]): Promise<StepOutput[]> {
    const { way, steps } = this.#next(inputs.length);
    // The executor itself keeps the state of before when this fails.
    if (way === "execute" && steps === inputs.length) return await this.#execute(inputs);
    const [from, before] = [this.#step, await this.getState()];
    const outputs: StepOutput[] = [];
    try {
      while (outputs.length < inputs.length) {
        const done = outputs.length;
        const { way, steps } = this.#next(inputs.length - done);
        const output = way === "verify" ? await this.#verify(inputs[done]!) : undefined;
        if (output !== undefined) outputs.push(output);
        else outputs.push(...(await this.#execute(inputs.slice(done, done + steps))));
      }
    } catch (error) {
      [this.#step, this.#state] = [from, before];
      throw error;
    }
    return outputs;
  }

  async close(): Promise<void> {
    await this.#executing.close();
    await this.#verifier?.close();
  }

  /** How to take the next of so many steps. */
  #next(count: number): Way {
    const { source, chooser } = this.#parameters;
    const offered = source.offered(this.#step);
    if (offered > 0) {
      const { way, steps } = chooser.next(offered);
      return { way, steps: Math.min(steps, count) };
    }
    let steps = 1;
    while (steps < count && source.offered(this.#step + steps) === 0) steps++;
    return { way: "execute", steps };
  }

  async #execute(inputs: readonly StepInput[]): Promise<StepOutput[]> {
    const { chooser, onSteps } = this.#parameters;
    if (this.#state !== undefined) await this.setState(this.#state);
    const [outputs, seconds] = await timed(() => this.#executing.run(inputs));
    chooser.executed(inputs.length, seconds);
    this.#step += inputs.length;
    onSteps?.("executed", inputs.length);
    return outputs;
  }

  /** One step from its sums; undefined when they do not bear it. */
  async #verify(input: StepInput): Promise<StepOutput | undefined> {
    const { program, options, engine, source, chooser, onSteps, onGivenUp, draw } = this.#parameters;
    const step = this.#step;
    const state = this.#state ?? (await this.#executing.getState());
    this.#state = state;
    const giveUp = (reason: string) => {
      chooser.giveUp();
      onGivenUp?.(step, reason);
      return undefined;
    };
    try {
      const bytes = await source.sums(step);
      const accumulators = decodeAccumulators(program, options.microBatches, bytes);
      this.#verifier ??= await openVerifier(program, { ...options, engine });
      const verifier = this.#verifier;
      // Not before the sums are here: whoever knows the vectors can make wrong sums fit them.
      const seed = draw?.() ?? randomBytes(32);
      const [advance, seconds] = await timed(() => verifier.advance(state, input, accumulators, seed));
      if (!advance.ok) return giveUp(`${advance.node.opcode} ${advance.node.index}: ${advance.reason}`);
      chooser.verified(seconds);
      this.#state = advance.state;
      this.#step++;
      onSteps?.("verified", 1);
      return { witness: advance.witness };
    } catch (error) {
      return giveUp((error as Error).message);
    }
  }
}

async function timed<T>(work: () => Promise<T>): Promise<[result: T, seconds: number]> {
  const start = performance.now();
  const result = await work();
  return [result, (performance.now() - start) / 1_000];
}
