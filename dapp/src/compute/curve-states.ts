import { useEffect, useState } from "react";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import type { WhoTrainedQuery } from "../../../subgraph/queries/documents.ts";
import type { OpenCurve, ScoredState, ScoredStates, ScoreStatesInput } from "../engine/methods.ts";
import type { Progress } from "../engine/protocol.ts";
import { theEngine } from "./engine.ts";
import { cidOf, type JobToFetch } from "./job-input.ts";

export type Checkpoint = NonNullable<WhoTrainedQuery["job"]>["checkpoints"][number];

/** A commitment that a provider has stored states with. */
type Source = { readonly key: string; readonly read: () => Promise<ScoreStatesInput["of"]> };

type Outcome = { readonly scored: ScoredStates } | { readonly error: unknown };

export type CurveStates = {
  /** In the order of their steps. */
  readonly states: readonly ScoredState[];
  readonly wrong: readonly string[];
  /** How far the next ones are; undefined while there is none to be scored. */
  readonly working: { readonly progress: Progress | undefined } | undefined;
  /** Why something published could not be scored. */
  readonly error: unknown;
  readonly retry: () => void;
};

/** Scores all states that a provider has published, one commitment after another, and those that it publishes meanwhile. */
export function useCurveStates(
  contracts: Pick<Contracts, "JobRegistry" | "Instalments">,
  gateway: string,
  { curve, steps }: OpenCurve,
  job: JobToFetch,
  checkpoints: readonly Checkpoint[],
): CurveStates {
  const [outcomes, setOutcomes] = useState<ReadonlyMap<string, Outcome>>(new Map());
  const [progress, setProgress] = useState<Progress>();
  const sources = sourcesOf(contracts, gateway, job, checkpoints, steps);
  const next = sources.find(({ key }) => !outcomes.has(key));
  // biome-ignore lint/correctness/useExhaustiveDependencies: a source is what its key names
  useEffect(() => {
    if (next === undefined) return;
    const controller = new AbortController();
    const { signal } = controller;
    const settle = (outcome: Outcome) => {
      if (!signal.aborted) setOutcomes((known) => new Map(known).set(next.key, outcome));
    };
    setProgress(undefined);
    const score = async () => {
      const of = await next.read();
      signal.throwIfAborted();
      return await theEngine().call("scoreStates", { curve, of }, { signal, onProgress: setProgress });
    };
    score().then(
      (scored) => settle({ scored }),
      (error: unknown) => settle({ error }),
    );
    return () => controller.abort();
  }, [next?.key, curve]);
  const scored = [...outcomes.values()].flatMap((outcome) => ("scored" in outcome ? [outcome.scored] : []));
  const failed = [...outcomes.values()].find((outcome) => "error" in outcome);
  const byStep = new Map(scored.flatMap(({ states }) => states).map((state) => [state.step, state]));
  return {
    states: [...byStep.values()].sort((a, b) => a.step - b.step),
    wrong: scored.flatMap(({ wrong }) => wrong),
    working: next === undefined ? undefined : { progress },
    error: failed?.error,
    retry: () => setOutcomes((known) => new Map([...known].filter(([, outcome]) => "scored" in outcome))),
  };
}

/** What there is to be scored. Roots come from the chain itself; an index only says where the bytes are. */
function sourcesOf(
  { JobRegistry, Instalments }: Pick<Contracts, "JobRegistry" | "Instalments">,
  gateway: string,
  { id, result }: JobToFetch,
  checkpoints: readonly Checkpoint[],
  steps: number,
): Source[] {
  const jobId = BigInt(id);
  const stored = (manifestDigest: string) => ({
    ...{ kind: "stored" as const, gateway, result: cidOf(manifestDigest) },
  });
  const posted = checkpoints.map(
    ({ number, result: { manifestDigest } }): Source => ({
      key: `checkpoint ${number}`,
      read: async () => {
        const claimed = await Instalments.read.checkpointOf([jobId, BigInt(number)]);
        return { ...stored(manifestDigest), steps: claimed.steps, traceRoot: claimed.traceRoot };
      },
    }),
  );
  const first: Source = { key: "first", read: () => Promise.resolve({ kind: "first" }) };
  if (result === null) return [first, ...posted];
  const last: Source = {
    key: "result",
    read: async () => {
      const { traceRoot } = await JobRegistry.read.claimOf([jobId]);
      return { ...stored(result.manifestDigest), steps, traceRoot };
    },
  };
  return [first, ...posted, last];
}
