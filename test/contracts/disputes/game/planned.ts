/** Disputes that no draw leads to: long sums, large tensors, links, parts of a run, mislabelled samples, odd encodings. */
import type { Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import type { ClaimedRun } from "../../../../keepers/src/training/dispute/claimed-run.ts";
import type { MislabelledSample } from "../../../../keepers/src/training/dispute/mislabelled-player.ts";
import { type Move, packSums, rangesOf } from "../../../../keepers/src/training/dispute/moves.ts";
import type { OwnRun } from "../../../../keepers/src/training/dispute/own-run.ts";
import { claimedPart } from "../../../../keepers/src/training/dispute/prefix-run.ts";
import type { Ending, PlayOptions } from "./arena.ts";
import { oddJob, tiesJob, wideJob } from "./hand-made.ts";
import { hardToRead } from "./hard-to-read.ts";
import { mislabelled, mislabelledPlace } from "./mislabelled.ts";
import { cnnJob, mlpJob, otherExponent, otherMantissa } from "./scenes.ts";
import { nameStep, towards } from "./shams.ts";
import { type Job, Story } from "./story.ts";
import { openedNode, runOf } from "./told-run.ts";

/** Both sides of a dispute, and how it has to end. */
export type Play = {
  readonly honest: Story;
  readonly liar: Story;
  readonly own: OwnRun;
  readonly claimed: ClaimedRun;
  /** Interval that is challenged; none where the leaves are withheld. */
  readonly interval: number | undefined;
  readonly options: PlayOptions;
  readonly ending: Ending;
  /** The last move that was made, or the stage that nobody had a move for. */
  readonly last: string;
};

const jobs = {
  odd: () => oddJob(20),
  long: () => oddJob(4_096),
  /** Tensors of more leaves than are posted at once, and a sum that is narrowed twice. */
  vast: () => oddJob(40_000, { microBatches: 1, steps: 1, interval: 1 }),
  wide: () => wideJob(),
  ties: () => tiesJob(),
  mlp: () => mlpJob(),
  /** One interval of which not every state is posted at once. */
  lengthy: () => mlpJob(16, 40, 40),
  cnn: () => cnnJob(),
} as const satisfies Record<string, () => Job>;
type JobName = keyof typeof jobs;

const stories = new Map<JobName, Story>();
function honestly(name: JobName): Story {
  const known = stories.get(name) ?? new Story(jobs[name]());
  stories.set(name, known);
  return known;
}

/** Number of the first tensor of an opcode in the list of a step. */
function placeOf({ job: { places, program } }: Story, opcode: string, isWanted = (_place: number) => true) {
  const found = places.findIndex(
    ({ tape, node }, place) => program.tapes[tape][node]!.opcode === opcode && isWanted(place),
  );
  if (found < 0) throw new TypeError(`The job has no ${opcode}.`);
  return found;
}

type About = {
  readonly honest: Story;
  readonly place: number;
  readonly change?: (tensor: Tensor) => Tensor;
  readonly step?: number;
  readonly pick?: PlayOptions["pick"];
  readonly encode?: PlayOptions["encode"];
};

/** A wrong tensor, or a right one, that is named whatever else there is. */
function named(
  { honest, place, change = (tensor) => tensor, step = 0, pick, encode }: About,
  ending: Ending,
  last: string,
): Play {
  const liar = honest.withTensor(step, place, change(honest.tensors(step)[place]!));
  const { interval } = honest.job.order;
  return {
    ...{ honest, liar, own: runOf(honest), claimed: runOf(liar), ending, last },
    interval: Math.floor(step / interval),
    options: {
      async pick(round, stage) {
        if (stage === "Step") return nameStep(liar, round, step % interval);
        if (stage === "Node") return towards(liar, round, place);
        return await pick?.(round, stage);
      },
      ...(encode && { encode }),
    },
  };
}

/** Claims that an exponent which is right is too large. */
async function doubted(honest: Story, place: number, ending: Ending, last: string): Promise<Play> {
  const { descriptor } = await openedNode(honest, 0, place);
  const sham: Move = { book: "descent", name: "claimTooLarge", args: [descriptor] };
  return named({ honest, place, pick: (_, stage) => (stage === "Leaf" ? sham : undefined) }, ending, last);
}

/** A sum that hides a lie behind another one, as often as it is asked for sums. */
async function hidden(name: JobName, place: number, out: number, moved: readonly number[], last: string) {
  const honest = honestly(name);
  const node = await openedNode(honest, 0, place);
  let posted = 0;
  return named(
    {
      ...{ honest, place },
      change: (tensor) => ({ ...tensor, mantissas: tensor.mantissas.map((m, i) => (i === out ? m - 1 : m)) }),
      pick({ position: { from, to } }, stage) {
        if (stage !== "Sums") return undefined;
        const ranges = rangesOf({ from: Number(from), to: Number(to) });
        const sums = ranges.map((range) => node.sum(out, range));
        sums[moved[posted++]!]! += 1_024n;
        return { book: "range", name: "postSums", args: [packSums(sums)] };
      },
    },
    "convicted",
    last,
  );
}

/** Twice the mantissas at the exponent below. */
const doubledBelow = (tensor: Tensor): Tensor => ({
  ...tensor,
  exponent: tensor.exponent - 1,
  mantissas: tensor.mantissas.map((mantissa) => Math.max(-32_767, Math.min(32_767, 2 * mantissa))),
});

/** A LOAD of a space. */
function loadOf(honest: Story, space: number): number {
  const { places, program } = honest.job;
  const place = placeOf(honest, "LOAD", (each) => {
    const { tape, node } = places[each]!;
    const { opcode, attributes } = program.tapes[tape][node]!;
    return opcode === "LOAD" && attributes.space === space && attributes.slot > 0;
  });
  return place;
}

/** A run of which the first steps are claimed, wrong in one tensor. */
function partly(opcode: string, step: number, steps: number, interval: number | undefined): Play {
  const honest = honestly("mlp");
  const place = placeOf(honest, opcode);
  const liar = new Story(honest.job, { step, place, change: otherMantissa }, honest);
  const [own, claimed] = [honest, liar].map((story) => claimedPart(runOf(story), { steps: BigInt(steps) }));
  return {
    ...{ honest, liar, own: own!, claimed: claimed!, interval, options: {} },
    ...{ ending: "convicted", last: "ruleElement" },
  };
}

function mislabelledPlay(steps: number, interval: number, isWithheld: boolean): Play {
  const { own, order, told } = mislabelled(steps, interval);
  const sample: MislabelledSample = { ...mislabelledPlace, order };
  const claimed = runOf(told);
  return {
    ...{ honest: told, liar: told, claimed, options: { sample }, ending: "convicted", last: "ruleInput" },
    own: { ...claimed, object: (place) => own.object(place) },
    interval: isWithheld ? undefined : Math.floor(mislabelledPlace.step / interval),
  };
}

const oddMantissas = ["MSE_GRAD", "SHIFT", "RELU", "INPUT", "STORE"] as const;

/** Each is made when it is asked for. */
export const plays: Readonly<Record<string, () => Play | Promise<Play>>> = {
  ...Object.fromEntries(
    oddMantissas.map((opcode) => [
      `a wrong mantissa of ${opcode}`,
      () => {
        const honest = honestly("odd");
        const last = opcode === "INPUT" ? "ruleInput" : "ruleElement";
        return named({ honest, place: placeOf(honest, opcode), change: otherMantissa }, "convicted", last);
      },
    ]),
  ),
  ...Object.fromEntries(
    ["MSE_GRAD", "SHIFT", "RELU", "INPUT"].flatMap((opcode) =>
      ([-1, 1] as const).map((delta) => [
        `an exponent of ${opcode} that is too ${delta < 0 ? "small" : "large"}`,
        () => {
          const honest = honestly("odd");
          const isTooLarge = opcode === "MSE_GRAD" && delta > 0;
          const last = isTooLarge ? "Witness" : opcode === "INPUT" ? "ruleInput" : "ruleElement";
          const change = otherExponent(delta);
          const ending = isTooLarge ? "stuck" : "convicted";
          return named({ honest, place: placeOf(honest, opcode), change }, ending, last);
        },
      ]),
    ),
  ),
  "a mantissa that no tensor has": () => {
    const honest = honestly("odd");
    const change = (tensor: Tensor): Tensor => ({
      ...tensor,
      mantissas: tensor.mantissas.with(3, -(2 ** 15)),
    });
    return named({ honest, place: placeOf(honest, "MATMUL"), change }, "convicted", "ruleElement");
  },
  "the total of a long sum": () => {
    const honest = honestly("long");
    return named(
      { honest, place: placeOf(honest, "MATMUL"), change: otherMantissa },
      "convicted",
      "ruleTotal",
    );
  },
  "a long sum of which a part is wrong": () => hidden("long", 4, 1, [5], "ruleSum"),
  "an exponent of a long sum that is too small": () => {
    const honest = honestly("long");
    return named(
      { honest, place: placeOf(honest, "MATMUL"), change: doubledBelow },
      "convicted",
      "ruleTotal",
    );
  },
  "an exponent of a long sum that is right": () => doubted(honestly("long"), 4, "stuck", "Sum"),
  "an exponent of a long sum that no element needs": async () => {
    const honest = honestly("long");
    const place = placeOf(honest, "MATMUL");
    const node = await openedNode(honest, 0, place);
    const sums = packSums(rangesOf({ from: 0, to: node.products }).map((range) => node.sum(0, range)));
    const answer: Move = { book: "range", name: "answerWitnessSums", args: [node.descriptor, 0n, sums] };
    const change = (tensor: Tensor): Tensor => ({
      ...tensor,
      exponent: tensor.exponent + 1,
      mantissas: tensor.mantissas.map((mantissa) => (mantissa + 1) >> 1),
    });
    const pick: PlayOptions["pick"] = (_, stage) => (stage === "Witness" ? answer : undefined);
    return named({ honest, place, change, pick }, "convicted", "ruleTotal");
  },
  "an exponent that one of two equal mantissas needs": () =>
    doubted(honestly("ties"), 1, "lost", "answerWitness"),
  "an exponent of a product that is right": () => {
    const honest = honestly("mlp");
    return doubted(honest, placeOf(honest, "MATMUL"), "lost", "answerWitness");
  },
  "an exponent of a convolution that is right": () => {
    const honest = honestly("cnn");
    return doubted(honest, placeOf(honest, "CONV"), "lost", "answerWitness");
  },
  "a mean over 1,024 micro-batches of which a part is wrong twice": () => {
    const honest = honestly("wide");
    return hidden("wide", honest.job.placeOf(1, 0), 256, [7, 3], "ruleSum");
  },
  "a sum of 40,000 products of which a part is wrong": () => hidden("vast", 4, 2, [9], "ruleSum"),
  "a tensor of more leaves than are posted at once": () => {
    const honest = honestly("vast");
    return named(
      { honest, place: placeOf(honest, "SHIFT"), change: otherMantissa },
      "convicted",
      "ruleElement",
    );
  },
  "a LOAD of a weight that is right": () => {
    const honest = honestly("mlp");
    return named({ honest, place: loadOf(honest, 0) }, "lost", "answerLink");
  },
  "a LOAD of a gradient that is right": () => {
    const honest = honestly("mlp");
    return named({ honest, place: loadOf(honest, 2), step: 3 }, "lost", "answerLink");
  },
  "a LOAD of a weight that is wrong": () => {
    const honest = honestly("mlp");
    return named({ honest, place: loadOf(honest, 0), change: otherMantissa }, "stuck", "Link");
  },
  "a LOAD of a gradient that is wrong": () => {
    const honest = honestly("mlp");
    return named({ honest, place: loadOf(honest, 2), change: otherMantissa }, "stuck", "Link");
  },
  "one step of forty": () => {
    const honest = honestly("lengthy");
    const place = placeOf(honest, "SGD_WEIGHT");
    const liar = new Story(honest.job, { step: 27, place, change: otherMantissa }, honest);
    return {
      ...{ honest, liar, own: runOf(honest), claimed: runOf(liar), interval: 0, options: {} },
      ...{ ending: "convicted", last: "ruleElement" },
    };
  },
  "a part of a run, from its leaves": () => partly("SGD_WEIGHT", 3, 4, 1),
  "a part of a run, by a search": () => partly("SGD_WEIGHT", 2, 4, undefined),
  "a sample that no class fits, from the leaves of its interval": () => mislabelledPlay(5, 2, false),
  "a sample that no class fits, in one interval of forty steps": () => mislabelledPlay(40, 40, false),
  "a sample that no class fits, by a search": () => mislabelledPlay(5, 1, true),
  "a product, with answers that are hard to read": () => {
    const honest = honestly("mlp");
    return named({ honest, place: 5, change: otherMantissa, encode: hardToRead }, "convicted", "ruleElement");
  },
  "a long sum, with answers that are hard to read": async () => {
    const play = await hidden("long", 4, 3, [11], "ruleSum");
    return { ...play, options: { ...play.options, encode: hardToRead } };
  },
};
