import { bytesToHex, type Hex, hexToBytes } from "viem";
import { traceLength, witnessHash } from "../../../keepers/src/core/exact/commitment.ts";
import { intervalOf, type TrainingOrder } from "../../../keepers/src/core/exact/order.ts";
import type { OpenedLeaf } from "../../../keepers/src/core/exact/result-files.ts";
import type { JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import type { ObjectSource } from "../../../keepers/src/training/data/types.ts";
import { ExecutedRun } from "../../../keepers/src/training/dispute/own-run.ts";
import type { TrainingSession } from "../../../keepers/src/training/executors/types.ts";
import { traceRootOf } from "../../../keepers/src/training/trace/commitments.ts";
import type { Check, IntervalVerdict } from "./methods.ts";
import type { CallContext } from "./protocol.ts";
import { executor } from "./runtime.ts";
import { breathe } from "./serve.ts";

export type IntervalParameters = {
  readonly job: JobProgram;
  readonly source: ObjectSource;
  readonly leaves: readonly OpenedLeaf[];
  readonly interval: number;
  /** A state that has its leaf's root, at or before the interval. */
  readonly known: { readonly leaf: number; readonly state: readonly Int32Array[] };
  readonly salt?: Hex;
  /** What was checked before. */
  readonly checks: readonly Check[];
};

/** That leaves are those of the committed trace, and begin where the order begins. */
export function checkTrace(
  leaves: readonly OpenedLeaf[],
  traceRoot: Hex,
  { steps, interval, initialRoot }: TrainingOrder,
): Check {
  const expected = traceLength(steps, interval);
  const check = (holds: boolean, how: string, found?: Hex): Check => ({
    name: "trace",
    holds,
    how,
    claimed: traceRoot,
    found,
  });
  if (leaves.length !== expected) return check(false, `It has ${leaves.length} leaves, not ${expected}.`);
  const found = traceRootOf(leaves, { steps, interval });
  if (found !== traceRoot) return check(false, "Its leaves have another root.", found);
  if (leaves[0]!.stateRoot !== initialRoot)
    return check(false, "It does not begin with the first state of the order.", found);
  const how = `All ${expected} leaves were hashed; they have the root that the provider committed to.`;
  return check(true, how, found);
}

/** Computes an interval again, from the state that is known before it, and compares what comes out with the trace. */
export async function computeInterval(
  { job, source, leaves, interval, known, salt, checks }: IntervalParameters,
  context: CallContext,
): Promise<IntervalVerdict> {
  const { order, compiled, options } = job;
  const { program } = compiled;
  const place = intervalOf(order, interval);
  const start = known.leaf * order.interval;
  const end = place.firstStep + place.steps;
  const own = new ExecutedRun({
    ...{ program, order, source, executor, options },
    nearest: () => Promise.resolve({ step: start, state: known.state }),
    open: async () => paced(await executor.open(program, options), end - start, context),
    signal: context.signal,
  });
  const verdict = (compared: readonly Check[], witnesses: readonly Hex[]): IntervalVerdict => ({
    verdict: compared.every(({ holds }) => holds) ? "right" : "wrong",
    interval,
    ...place,
    checks: [...checks, ...compared],
    witnesses,
  });
  try {
    const compared: Check[] = [];
    if (known.leaf < interval) {
      const [before] = await own.stateRoots([place.firstStep]);
      compared.push(compareState("state before", before!, leaves[interval]!, `from leaf ${known.leaf} on`));
      if (!compared[0]!.holds) return verdict(compared, []);
    }
    const witnesses = await own.witnesses(interval);
    const [after] = await own.stateRoots([end]);
    compared.push(compareState("state after", after!, leaves[interval + 1]!, "in exact integers"));
    if (salt !== undefined) compared.push(compareWitnesses(witnesses, salt, leaves[interval + 1]!));
    return verdict(compared, witnesses);
  } finally {
    await own.close();
  }
}

function compareState(name: Check["name"], found: Hex, { stateRoot }: OpenedLeaf, from: string): Check {
  const holds = found === stateRoot;
  const how = holds
    ? `Computed here ${from}, it is the very state that the trace names.`
    : `Computed here ${from}, it is another state than the trace names.`;
  return { name, holds, how, claimed: stateRoot, found };
}

function compareWitnesses(witnesses: readonly Hex[], salt: Hex, { h }: OpenedLeaf): Check {
  const bytes = witnesses.map((witness) => hexToBytes(witness));
  const found = bytesToHex(witnessHash(hexToBytes(salt), bytes));
  const holds = found === h;
  const how = holds
    ? "The witnesses of every step are those that the leaf binds."
    : "The witnesses that the leaf binds are others.";
  return { name: "witnesses", holds, how, claimed: h, found };
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
