import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { intervalOf, type TrainingOrder } from "../../../keepers/src/core/exact/order.ts";
import { decodeState } from "../../../keepers/src/core/exact/result-files.ts";
import type { Program } from "../../../keepers/src/core/exact/tape/types.ts";
import { OrderRefusedError } from "../../../keepers/src/roles/jobs/errors.ts";
import type { JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { stateRootOf } from "../../../keepers/src/training/trace/commitments.ts";
import { checkTrace, computeInterval } from "./interval.ts";
import type { Check, IntervalVerdict, VerifyInput } from "./methods.ts";
import { checkObjects } from "./objects.ts";
import { openProgram } from "./program.ts";
import type { CallContext } from "./protocol.ts";

/**
 * Computes an interval of a trace again, from the state that was opened and the objects that the order names, and compares
 * what comes out with the trace. What is handed over is held against the order and the trace first: program, leaves, state
 * and objects.
 * @throws BadInputError for an interval that the order does not have; ModelTooLargeError; EngineError
 */
export async function verifyInterval(input: VerifyInput, context: CallContext): Promise<IntervalVerdict> {
  const { interval, leaves, salt } = input;
  const checks: Check[] = [];
  const unusable = (firstStep: number, steps: number): IntervalVerdict => ({
    ...{ verdict: "unusable", interval, firstStep, steps, checks, witnesses: [] },
  });
  const { job, check: program } = await programCheck(input);
  checks.push(program);
  if (job === undefined) return unusable(0, 0);
  const { order, compiled } = job;
  const { firstStep, steps } = intervalOf(order, interval);
  checks.push(checkTrace(leaves, input.traceRoot, order));
  if (!checks.at(-1)!.holds) return unusable(firstStep, steps);
  const { state, check: opened } = stateCheck(input, compiled.program);
  checks.push(opened);
  if (state === undefined) return unusable(firstStep, steps);
  const { source, check: objects } = await objectsCheck(input, order, context);
  checks.push(objects);
  if (source === undefined) return unusable(firstStep, steps);
  const known = { leaf: interval, state };
  return await computeInterval({ job, source, leaves, interval, known, salt, checks }, context);
}

/** What is said of a program that was compiled and held against its order. */
export function programHolds({ order }: JobProgram): Check {
  return {
    name: "program",
    holds: true,
    how: "It was compiled here: its root, its size, and the first state that the order's seed gives, are those of the order.",
    claimed: order.programRoot,
    found: order.programRoot,
  };
}

async function programCheck(
  input: VerifyInput,
): Promise<{ readonly check: Check; readonly job?: JobProgram }> {
  try {
    const job = await openProgram(input);
    return { job, check: programHolds(job) };
  } catch (error) {
    if (!(error instanceof OrderRefusedError)) throw error;
    return { check: { name: "program", holds: false, how: `It is not the ordered one: ${error.message}.` } };
  }
}

/** The opened state, where it has its leaf's root. */
function stateCheck(
  { state: bytes, leaves, interval }: VerifyInput,
  program: Program,
): { readonly check: Check; readonly state?: Int32Array[] } {
  const claimed = leaves[interval]!.stateRoot;
  try {
    const state = decodeState(program, bytes);
    const found = stateRootOf(program, state);
    if (found !== claimed) {
      const how = "The opened state is another one than the leaf names.";
      return { check: { name: "state before", holds: false, how, claimed, found } };
    }
    const how = "Every weight and momentum of the opened state was hashed; its root is the leaf's.";
    return { check: { name: "state before", holds: true, how, claimed, found }, state };
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return { check: { name: "state before", holds: false, how: error.message, claimed } };
  }
}

/** The objects, where their root is the order's. */
async function objectsCheck({ objects }: VerifyInput, order: TrainingOrder, context: CallContext) {
  const claimed = order.objectRoot;
  try {
    const { source, root: found, how } = await checkObjects(objects, order, context);
    const holds = found === claimed;
    const said = holds ? "Their root is the order's." : "They have another root.";
    const check: Check = { name: "objects", holds, how: `${how} ${said}`, claimed, found };
    return { check, source: holds ? source : undefined };
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return { check: { name: "objects", holds: false, how: error.message, claimed } satisfies Check };
  }
}
