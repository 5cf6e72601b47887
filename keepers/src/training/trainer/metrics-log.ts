import type { LineLog } from "./line-log.ts";
import { addSteps, type EpochMetrics, epochScore, type Score, type StepMetrics } from "./metrics.ts";
import type { MetricsLine } from "./progress.ts";

/** Lines of steps in what one line of epochs tells of, and in a run, at most (besides those at checkpoints and at its ends). */
const linesPerEpoch = 100;
const linesPerRun = 10_000;
/** Epochs of a run that are always told of one by one, however short they are. */
const fewEpochs = 400;
/** Steps after which a line may tell of an epoch, however many epochs there are. */
const manySteps = 256;

type Length = { readonly steps: number; readonly stepsPerEpoch: number };

/**
 * Steps of the epochs that one line tells of: as a rule one. An order may have an epoch of one step; where short epochs are
 * many, a line tells of several, so that telling of them takes little beside training them.
 */
export function stepsPerLine({ steps, stepsPerEpoch }: Length): number {
  const epochs = Math.ceil(steps / stepsPerEpoch);
  return (
    stepsPerEpoch * Math.max(1, Math.min(Math.ceil(epochs / fewEpochs), Math.ceil(manySteps / stepsPerEpoch)))
  );
}

/** The file of metrics of a run that is being trained, and what its lines hold so far. */
export class MetricsLog {
  /** Steps of the epochs that one line tells of. */
  readonly stride: number;
  readonly #length: Length;
  readonly #file: LineLog<MetricsLine>;
  readonly #steps: StepMetrics[] = [];
  readonly #epochs: EpochMetrics[] = [];
  /** Where the lines begin that the next one of epochs will sum up. */
  #from = 0;
  /** Steps that no line holds yet. */
  #seen: StepMetrics | undefined;

  /** @param lines what the file holds already */
  constructor(file: LineLog<MetricsLine>, lines: readonly MetricsLine[], length: Length) {
    this.#file = file;
    this.#length = length;
    this.stride = stepsPerLine(length);
    for (const line of lines) this.#keep(line);
  }

  get steps(): readonly StepMetrics[] {
    return this.#steps;
  }

  get epochs(): readonly EpochMetrics[] {
    return this.#epochs;
  }

  see(steps: StepMetrics): void {
    this.#seen = addSteps(this.#seen, steps);
  }

  /** Whether a line tells of the epochs that end with this step. */
  endsEpochs(step: number): boolean {
    return step % this.stride === 0 || step === this.#length.steps;
  }

  /** Whether a line of steps is due after this one. */
  isDue(step: number): boolean {
    const most = Math.max(this.stride / linesPerEpoch, this.#length.steps / linesPerRun);
    return step - (this.#steps.at(-1)?.step ?? 0) >= most;
  }

  /** Writes down what was seen since the last line; undefined when that is nothing. */
  async writeSteps(): Promise<StepMetrics | undefined> {
    const seen = this.#seen;
    if (seen === undefined) return undefined;
    this.#seen = undefined;
    await this.#write({ kind: "steps", ...seen });
    return seen;
  }

  /** Writes down what was reached since the last line of epochs. */
  async writeEpochs(
    step: number,
    validation: Score | undefined,
    secondsOfValidation: number,
  ): Promise<EpochMetrics> {
    const lines = this.#steps.slice(this.#from);
    const metrics: EpochMetrics = {
      epoch: Math.ceil(step / this.#length.stepsPerEpoch),
      step,
      training: epochScore(lines),
      validation,
      seconds: lines.reduce((sum, line) => sum + line.seconds, secondsOfValidation),
    };
    await this.#write({ kind: "epoch", ...metrics });
    return metrics;
  }

  async #write(line: MetricsLine): Promise<void> {
    this.#keep(line);
    await this.#file.append(line);
  }

  #keep(line: MetricsLine): void {
    if (line.kind === "steps") {
      this.#steps.push(line);
      return;
    }
    this.#epochs.push(line);
    this.#from = this.#steps.length;
  }
}
