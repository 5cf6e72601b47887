/** Providers that commit to something wrong, drawn at random. */
import type { Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { Random } from "../../../keepers/core/exact/cases-random.ts";
import { oddJob, tiesJob, wideJob } from "./hand-made.ts";
import { cnnJob, mlpJob } from "./scenes.ts";
import type { Job, Lie } from "./story.ts";

/** Jobs that liars are drawn for; each is made when it is asked for. */
export const liarJobs = {
  mlp: () => mlpJob(),
  cnn: () => cnnJob(),
  small: () => cnnJob(8),
  odd: () => oddJob(20),
  long: () => oddJob(4_096),
  wide: () => wideJob(),
  ties: () => tiesJob(),
} as const satisfies Record<string, () => Job>;
export type LiarJob = keyof typeof liarJobs;

/** The draws of one run: the same number draws the same. */
export const drawsOf = (run: number): Random => new Random(1_000 + run, "liars");

/** A lie in any tensor or state of any step. */
export function anyLie(random: Random, job: Job): Lie {
  const step = random.int(0, job.order.steps - 1);
  if (random.int(0, 9) === 0) {
    const slot = random.int(0, job.program.state.length - 1);
    const at = random.int(0, 2 ** 30);
    const flip = (values: Int32Array) =>
      values.map((value, i) => (i === at % values.length ? value ^ (1 << random.int(0, 20)) : value));
    return { step, state: (state) => state.map((values, i) => (i === slot ? flip(values) : values)) };
  }
  const place = random.int(0, job.places.length - 1);
  const change = (tensor: Tensor): Tensor => {
    const kind = random.int(0, 4);
    if (kind === 0) return { ...tensor, exponent: tensor.exponent + (random.int(0, 1) === 0 ? -1 : 1) };
    const mantissas = tensor.mantissas.slice();
    const element = random.int(0, mantissas.length - 1);
    if (kind === 1) mantissas.fill(0);
    else mantissas[element] = mantissas[element]! === 0 ? 1 : Math.trunc(mantissas[element]! / 2);
    return { ...tensor, mantissas };
  };
  return { step, place, change };
}
