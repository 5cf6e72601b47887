import { bytesToHex, type Hex, hexToBytes } from "viem";
import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { traceLength, witnessHash } from "../../../keepers/src/core/exact/commitment.ts";
import { intervalOf, type TrainingOrder } from "../../../keepers/src/core/exact/order.ts";
import { decodeState } from "../../../keepers/src/core/exact/result-files.ts";
import type { Program } from "../../../keepers/src/core/exact/tape/types.ts";
import { OrderRefusedError } from "../../../keepers/src/roles/jobs/errors.ts";
import type { JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { ExecutedRun } from "../../../keepers/src/training/dispute/own-run.ts";
import type { TrainingSession } from "../../../keepers/src/training/executors/types.ts";
import { stateRootOf, traceRootOf } from "../../../keepers/src/training/trace/commitments.ts";
import type { Check, IntervalVerdict, VerifyInput } from "./methods.ts";
import { checkObjects } from "./objects.ts";
import { openProgram } from "./program.ts";
import type { CallContext } from "./protocol.ts";
import { executor } from "./runtime.ts";
import { breathe } from "./serve.ts";

/** What is known of an interval before it is computed; it ends with the first thing that does not hold. */
type Evidence = Pick<IntervalVerdict, "firstStep" | "steps"> & { readonly checks: Check[] };

/**
 * Computes an interval of a trace again, from the state that was opened and the objects that the order names, and compares
 * what comes out with the trace. What is handed over is held against the order and the trace first: program, leaves, state
 * and objects.
 * @throws BadInputError for an interval that the order does not have; ModelTooLargeError; EngineError
 */
export async function verifyInterval(input: VerifyInput, context: CallContext): Promise<IntervalVerdict> {
  const { interval } = input;
  const evidence: { checks: Check[] } = { checks: [] };
  const unusable = (given: Pick<IntervalVerdict, "firstStep" | "steps">): IntervalVerdict => ({
    verdict: "unusable",
    interval,
    ...given,
    checks: evidence.checks,
    witnesses: [],
  });
  const job = await programOf(input, evidence.checks);
  if (job === undefined) return unusable({ firstStep: 0, steps: 0 });
  const { order, compiled } = job;
  const { program } = compiled;
  const place = intervalOf(order, interval);
  if (!holds(evidence.checks, traceCheck(input, order))) return unusable(place);
  const opened = stateCheck(input, program);
  if (!holds(evidence.checks, opened.check) || opened.state === undefined) return unusable(place);
  const objects = await objectsCheck(input, order, context);
  if (!holds(evidence.checks, objects.check) || objects.source === undefined) return unusable(place);
  const { state } = opened;
  const own = new ExecutedRun({
    program,
    order,
    source: objects.source,
    executor,
    options: job.options,
    nearest: () => Promise.resolve({ step: place.firstStep, state }),
    open: async () => paced(await executor.open(program, job.options), place.steps, context),
    signal: context.signal,
  });
  try {
    const witnesses = await own.witnesses(interval);
    const [stateRoot] = await own.stateRoots([place.firstStep + place.steps]);
    const compared = compare(input, stateRoot!, witnesses);
    return {
      verdict: compared.every((each) => each.holds) ? "right" : "wrong",
      interval,
      ...place,
      checks: [...evidence.checks, ...compared],
      witnesses,
    };
  } finally {
    await own.close();
  }
}

function holds(checks: Evidence["checks"], check: Check): boolean {
  checks.push(check);
  return check.holds;
}

async function programOf(input: VerifyInput, checks: Check[]): Promise<JobProgram | undefined> {
  try {
    const job = await openProgram(input);
    checks.push({
      name: "program",
      holds: true,
      how: "It was compiled here: its root, its size, and the first state that the order's seed gives, are those of the order.",
      claimed: input.published.order.problem.programRoot,
      found: job.order.programRoot,
    });
    return job;
  } catch (error) {
    if (!(error instanceof OrderRefusedError)) throw error;
    checks.push({ name: "program", holds: false, how: `It is not the ordered one: ${error.message}.` });
    return undefined;
  }
}

function traceCheck({ leaves, traceRoot, interval }: VerifyInput, order: TrainingOrder): Check {
  const expected = traceLength(order.steps, order.interval);
  if (leaves.length !== expected)
    return { name: "trace", holds: false, how: `It has ${leaves.length} leaves, not ${expected}.` };
  const found = traceRootOf(leaves, order);
  if (found !== traceRoot)
    return { name: "trace", holds: false, how: "Its leaves have another root.", claimed: traceRoot, found };
  const begins = interval > 0 || leaves[0]!.stateRoot === order.initialRoot;
  return {
    name: "trace",
    holds: begins,
    how: begins
      ? `All ${expected} leaves were hashed; they have the root that the provider committed to.`
      : "It does not begin with the first state of the order.",
    claimed: traceRoot,
    found,
  };
}

function stateCheck(
  { state: bytes, leaves, interval }: VerifyInput,
  program: Program,
): { readonly check: Check; readonly state?: Int32Array[] } {
  const claimed = leaves[interval]!.stateRoot;
  try {
    const state = decodeState(program, bytes);
    const found = stateRootOf(program, state);
    const how =
      found === claimed
        ? "Every weight and momentum of the opened state was hashed; its root is the leaf's."
        : "The opened state is another one than the leaf names.";
    return { check: { name: "state before", holds: found === claimed, how, claimed, found }, state };
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return { check: { name: "state before", holds: false, how: error.message, claimed } };
  }
}

async function objectsCheck({ objects }: VerifyInput, order: TrainingOrder, context: CallContext) {
  const claimed = order.objectRoot;
  try {
    const { source, root: found, how } = await checkObjects(objects, order, context);
    const check: Check = {
      name: "objects",
      holds: found === claimed,
      how: found === claimed ? `${how} Their root is the order's.` : `${how} They have another root.`,
      claimed,
      found,
    };
    return { check, source };
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return { check: { name: "objects", holds: false, how: error.message, claimed } satisfies Check };
  }
}

function compare(
  { leaves, interval, salt }: VerifyInput,
  stateRoot: Hex,
  witnesses: readonly Hex[],
): readonly Check[] {
  const after = leaves[interval + 1]!;
  const same = stateRoot === after.stateRoot;
  const checks: Check[] = [
    {
      name: "state after",
      holds: same,
      how: same
        ? "Computed here in exact integers, the interval ends in the very state that the trace names."
        : "Computed here in exact integers, the interval ends in another state than the trace names.",
      claimed: after.stateRoot,
      found: stateRoot,
    },
  ];
  if (salt === undefined) return checks;
  const found = bytesToHex(
    witnessHash(
      hexToBytes(salt),
      witnesses.map((witness) => hexToBytes(witness)),
    ),
  );
  const bound = found === after.h;
  const how = bound
    ? "The witnesses of every step are those that the leaf binds."
    : "The witnesses that the leaf binds are others.";
  return [...checks, { name: "witnesses", holds: bound, how, claimed: after.h, found }];
}

/** Runs one step at a time, so that a cancellation comes in and progress goes out between them. */
function paced(session: TrainingSession, total: number, { signal, progress }: CallContext): TrainingSession {
  let done = 0;
  return {
    program: session.program,
    setState: (state) => session.setState(state),
    getState: () => session.getState(),
    close: () => session.close(),
    async run(inputs) {
      const outputs = [];
      for (const each of inputs) {
        await breathe(signal);
        outputs.push(...(await session.run([each])));
        progress({ stage: "computing", done: ++done, total, unit: "steps" });
      }
      return outputs;
    },
  };
}
