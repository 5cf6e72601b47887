import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { concat, type Hex, hexToBigInt, keccak256, numberToHex } from "viem";
import { traceLength } from "../../core/exact/commitment.ts";
import { samplesOf } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { encodeLeaves, type OpenedLeaf } from "../../core/exact/result-files.ts";
import { ExecutedRun } from "../../training/dispute/own-run.ts";
import { evaluateExact } from "../../training/evaluate/evaluate.ts";
import { scoreWitness } from "../../training/evaluate/score.ts";
import type { Executor, TrainingSession } from "../../training/executors/types.ts";
import { compileJob, type OpenJob, openJob } from "../jobs/job-program.ts";
import type { JobStorage } from "../jobs/job-storage.ts";
import type { JobProgram, MachineLimits } from "../jobs/published-program.ts";
import { fetchResult, publishedState } from "../jobs/result.ts";
import { type Claim, type ClaimParts, trusted, verified, wrong } from "./claims.ts";
import type { AuditedChallenge, JobEvidence } from "./job-evidence.ts";
import type { CurvePicture, Picture } from "./pictures/types.ts";
import { type Failed, fetched, tried } from "./tried.ts";
import { counted, listed } from "./wording.ts";

export type RunAuditParameters = {
  readonly storage: JobStorage;
  readonly executor: Executor;
  readonly limits: MachineLimits;
  /** Folder for what is downloaded. */
  readonly folder: string;
  /** How many intervals of the training are computed again: drawn by the newest block's hash; all of them. */
  readonly intervals: number | "all";
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
};

export type RunAudit = { readonly claims: readonly Claim[]; readonly pictures: readonly Picture[] };

type Named = Pick<ClaimParts, "id" | "topic" | "statement">;

const program: Named = {
  id: "program",
  topic: "order",
  statement: "The program that was published is the one that was ordered.",
};
const data: Named = {
  id: "dataset",
  topic: "order",
  statement:
    "The data that can be fetched today are, byte for byte, those that were ordered to be trained on.",
};
const stored: Named = {
  id: "stored-model",
  topic: "work",
  statement: "The model that is stored is the one that the provider committed to.",
};
const computed: Named = {
  id: "intervals",
  topic: "work",
  statement: "The training steps give, computed again, exactly what the provider committed to.",
};

const everything = [program, data, stored, computed];

/** What is left to trust where nothing is to be computed. */
export function uncomputed(): Claim[] {
  return [...unreached(everything, "this audit computes nothing, as it was told to").claims];
}

/**
 * Fetches program, data and result of a job, computes parts of its training again in exact integers, and scores the model.
 * What cannot be fetched is taken on trust, with the reason.
 *
 * @throws what engine and machine throw
 */
export async function auditRun(evidence: JobEvidence, parameters: RunAuditParameters): Promise<RunAudit> {
  const { posted, record } = evidence;
  if (record.result === undefined)
    return unreached(everything, "the provider never committed to a final result");
  if (posted === undefined) return unreached(everything, "the order's program was never published");
  await mkdir(parameters.folder, { recursive: true });
  parameters.onProgress?.("compiling the program");
  const published = { order: record.order, ...trainingOf(posted) };
  const compiled = await tried(() => compileJob(published, parameters), parameters.signal);
  if (!("value" in compiled)) return failedAt(program, compiled, [data, stored, computed]);
  const claims = [
    verified({
      ...program,
      how: "It was compiled here: its root, its size, and the first state that the order's seed gives, are those of the order.",
    }),
  ];
  parameters.onProgress?.("fetching the stored result");
  const result = await resultOf(evidence, compiled.value, parameters);
  claims.push(result.claim);
  parameters.onProgress?.("fetching the data");
  const opened = await fetched(() => openJob(compiled.value, parameters), parameters);
  if (!("value" in opened)) {
    const rest = failedAt(data, opened, [computed]);
    return { ...rest, claims: [...claims, ...rest.claims] };
  }
  const job = opened.value;
  try {
    claims.push(
      verified({
        ...data,
        how: "All objects were fetched and hashed here; their root is the one in the order.",
      }),
    );
    const { leaves, state } = result;
    const again =
      leaves === undefined
        ? unreached([computed], "the provider did not store the trace, so there is nothing to compare with")
        : await recompute(evidence, job, leaves, parameters);
    claims.push(...again.claims);
    if (state !== undefined) claims.push(...(await scoreOf(job, state, parameters)));
    return { claims, pictures: again.pictures };
  } finally {
    await job.close();
  }
}

function trainingOf({ args }: NonNullable<JobEvidence["posted"]>) {
  return { training: args.training, package: args.package };
}

function failedAt(at: Named, { isWrong, isOurs, reason }: Failed, rest: readonly Named[]): RunAudit {
  const first = isWrong
    ? wrong({ ...at, how: `It does not hold: ${reason}` })
    : trusted({ ...at, how: `It could not be ${isOurs ? "checked on this machine" : "fetched"}: ${reason}` });
  return {
    claims: [first, ...unreached(rest, "what comes before it could not be checked").claims],
    pictures: [],
  };
}

function unreached(claims: readonly Named[], reason: string): RunAudit {
  return { claims: claims.map((each) => trusted({ ...each, how: `Not checked: ${reason}.` })), pictures: [] };
}

type StoredResult = {
  readonly claim: Claim;
  readonly state?: readonly Int32Array[];
  readonly leaves?: readonly OpenedLeaf[];
};

async function resultOf(
  { record }: JobEvidence,
  { compiled, order }: JobProgram,
  parameters: RunAuditParameters,
): Promise<StoredResult> {
  const committed = record.result!;
  const found = await fetched(
    () => fetchResult({ ...parameters, program: compiled.program, order, result: committed }),
    parameters,
  );
  if (!("value" in found)) return { claim: failedAt(stored, found, []).claims[0]! };
  const { state, leaves } = found.value;
  const parts = {
    ...stored,
    facts: [
      ["root of the last state", committed.stateRoot],
      ["root of the trace", committed.traceRoot],
    ],
  } as const;
  if (state === undefined)
    return {
      leaves,
      claim: wrong({ ...parts, how: "What is stored has another state root, or is not there." }),
    };
  if (leaves === undefined) {
    const how =
      "The state was hashed here and has the committed root; the trace that led to it is not stored.";
    return { state, claim: verified({ ...parts, how }) };
  }
  const digest: Hex = `0x${createHash("sha256").update(encodeLeaves(leaves)).digest("hex")}`;
  const isDigest = hexToBigInt(committed.leavesDigest) === 0n || digest === committed.leavesDigest;
  if (!isDigest || leaves.at(-1)!.stateRoot !== committed.stateRoot)
    return { state, leaves, claim: wrong({ ...parts, how: "The stored trace is not the committed one." }) };
  const how = `Every weight was hashed here and has the committed root; so has the trace of ${leaves.length} states, which ends in it.`;
  return { state, leaves, claim: verified({ ...parts, how }) };
}

/** The interval that a dispute came down to: one about the whole trace names it on the way. */
function decidedOn({ interval, round }: AuditedChallenge): bigint {
  return round?.interval ?? interval;
}

/** Intervals to compute again: those that a dispute decided, and some that nobody could foresee. */
export function drawIntervals(
  { history, jobId, challenges }: Pick<JobEvidence, "history" | "jobId" | "challenges">,
  count: number,
  wanted: number | "all",
): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (wanted === "all" || wanted >= count) return all;
  const convicted = challenges.flatMap((challenge) => {
    const interval = decidedOn(challenge);
    return challenge.outcome === "convicted" && interval < BigInt(count) ? [Number(interval)] : [];
  });
  const chosen = new Set(convicted);
  for (let i = 0n; chosen.size < Math.max(wanted, convicted.length); i++) {
    const words = [jobId, i].map((word) => numberToHex(word, { size: 32 }));
    chosen.add(Number(hexToBigInt(keccak256(concat([history.block.hash, ...words]))) % BigInt(count)));
  }
  return [...chosen].sort((a, b) => a - b);
}

async function recompute(
  evidence: JobEvidence,
  { compiled, order, options, source }: OpenJob,
  leaves: readonly OpenedLeaf[],
  { executor, intervals: wanted, folder, onProgress, signal }: RunAuditParameters,
): Promise<RunAudit> {
  const { program } = compiled;
  const chosen = drawIntervals(evidence, traceLength(order.steps, order.interval) - 1, wanted);
  const losses = new Map<number, number>();
  const first = { step: 0, state: initialState(program, order.seed) };
  const own = new ExecutedRun({
    program,
    order,
    source,
    executor,
    options,
    // With all intervals the run is the whole run, from its first state on; samples begin at the nearest stored state.
    nearest: async (step) =>
      wanted === "all" ? first : ((await publishedState({ program, order, folder, leaves }, step)) ?? first),
    open: async (firstStep) => listening(await executor.open(program, options), firstStep, order, losses),
    signal,
  });
  const differing: number[] = [];
  try {
    for (const interval of chosen) {
      onProgress?.(`computing interval ${interval} again`);
      const ends = [interval, interval + 1].map((leaf) => Math.min(leaf * order.interval, order.steps));
      const roots: Hex[] = [];
      for (const end of ends) roots.push(...(await own.stateRoots([end])));
      if (roots.some((root, i) => root !== leaves[interval + i]?.stateRoot)) differing.push(interval);
    }
  } finally {
    await own.close();
  }
  return {
    claims: [intervalsClaim(evidence, chosen, differing, leaves.length - 1, wanted === "all")],
    pictures: losses.size === 0 ? [] : [lossCurve(losses, chosen)],
  };
}

export function intervalsClaim(
  { challenges }: Pick<JobEvidence, "challenges">,
  chosen: readonly number[],
  differing: readonly number[],
  count: number,
  isWhole: boolean,
): Claim {
  const convicted = challenges.filter(({ outcome }) => outcome === "convicted");
  const facts = [["intervals computed again", chosen.join(", ")]] as const;
  const from = isWhole
    ? "from the first state to the last"
    : "each from the nearest state that is stored; drawn by the hash of the newest block, which nobody could foresee";
  const said = `${counted(chosen.length, "interval")} of ${count} computed again in exact integers, ${from}`;
  if (convicted.length > 0) {
    const statement = "The provider was convicted: some of its steps are not what was ordered.";
    return differing.length > 0
      ? verified({
          ...computed,
          statement,
          facts,
          how: `${said}. ${wrongAt(differing)}, as the contracts have found.`,
        })
      : convicted.some(({ isSilent }) => isSilent)
        ? verified({
            ...computed,
            facts,
            how: `${said}: as the provider said. It was convicted for its silence.`,
          })
        : convicted.some((challenge) => chosen.includes(Number(decidedOn(challenge))))
          ? wrong({
              ...computed,
              statement,
              facts,
              how: `${said}. All of them come out as the provider said.`,
            })
          : trusted({
              ...computed,
              statement,
              facts,
              how: `${said}: as the provider said. What it was convicted of is no interval, but how its trace begins, ends or hangs together: the contracts have ruled on that.`,
            });
  }
  return differing.length === 0
    ? verified({ ...computed, facts, how: `${said}: every bit of every weight is the same.` })
    : wrong({ ...computed, facts, how: `${said}. ${wrongAt(differing)}.` });
}

function wrongAt(differing: readonly number[]): string {
  return `${differing.length === 1 ? "Interval" : "Intervals"} ${listed(differing.map(String))} came out otherwise than the provider said`;
}

function lossCurve(losses: ReadonlyMap<number, number>, chosen: readonly number[]): CurvePicture {
  const runs: (readonly [number, number])[][] = [];
  for (const [step, loss] of [...losses].sort(([a], [b]) => a - b)) {
    const last = runs.at(-1)?.at(-1);
    if (last !== undefined && last[0] === step - 1) runs.at(-1)!.push([step, loss]);
    else runs.push([[step, loss]]);
  }
  return {
    kind: "curve",
    topic: "work",
    title: "How the loss fell, where the training was computed again",
    description: `Loss of ${losses.size} steps; the lower, the better the model fits its data.`,
    source: `Computed here for ${chosen.length === 1 ? "interval" : "intervals"} ${listed(chosen.map(String))} and the steps that lead there; of each step its last micro-batch. Gaps were not computed.`,
    xLabel: "step",
    yLabel: "loss",
    runs,
  };
}

/** Writes down the loss of every step that a session computes. */
function listening(
  session: TrainingSession,
  firstStep: number,
  { microBatches, microBatch, objectBytes }: JobProgram["order"],
  losses: Map<number, number>,
): TrainingSession {
  let step = firstStep;
  const last = (microBatches - 1) * microBatch * objectBytes;
  return {
    program: session.program,
    setState: (state) => session.setState(state),
    getState: () => session.getState(),
    close: () => session.close(),
    async run(inputs) {
      const outputs = await session.run(inputs);
      for (const [i, { witness }] of outputs.entries()) {
        const objects = inputs[i]!.objects.subarray(last);
        const { lossSum, samples } = scoreWitness(session.program, witness, objects, objectBytes);
        losses.set(step + i, lossSum / samples);
      }
      step += inputs.length;
      return outputs;
    },
  };
}

async function scoreOf(
  { compiled, order, source, options }: OpenJob,
  state: readonly Int32Array[],
  { executor, onProgress }: RunAuditParameters,
): Promise<Claim[]> {
  const samples = samplesOf(order);
  if (samples.validationCount === 0) return [];
  onProgress?.("scoring the model");
  const kept = { source, count: samples.validationCount, index: (i: number) => samples.validation(i) };
  const { accuracy, loss } = await evaluateExact(executor, compiled.program, state, kept, options);
  const score =
    accuracy === undefined
      ? `the mean loss of the model is ${loss.toFixed(4)}`
      : `the model is right on ${(100 * accuracy).toFixed(2)} %`;
  return [
    verified({
      id: "evaluation",
      topic: "certificate",
      statement: `On the ${samples.validationCount} samples that were kept apart from the training, ${score}.`,
      how: "The stored model was run here on samples that the order's seed keeps apart, in exact integers.",
      facts: [["mean loss", loss.toFixed(6)]],
    }),
  ];
}
