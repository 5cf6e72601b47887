import { lazy, Suspense } from "react";
import { useContracts } from "../data/use-contracts.ts";
import type { OpenCurve, ScoredState } from "../engine/methods.ts";
import { useNetwork } from "../network/context.ts";
import { Notice } from "../ui/badge.tsx";
import { Card } from "../ui/card.tsx";
import { Skeleton } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Id } from "../ui/values.tsx";
import { type Checkpoint, useCurveStates } from "./curve-states.ts";
import chartStyles from "./curves.module.css";
import { theEngine, useOpened } from "./engine.ts";
import { type JobToFetch, readOrdered } from "./job-input.ts";
import { OnRequest } from "./on-request.tsx";
import { useRun } from "./use-run.ts";
import { Failed, Working } from "./working.tsx";

const CurveChart = lazy(() => import("./curve-chart.tsx"));

type Props = { readonly job: JobToFetch; readonly checkpoints: readonly Checkpoint[] };

/**
 * How a model gets better while it is trained: every state that its provider has published, fetched, held against the chain,
 * and scored in the visitor's own browser.
 */
export default function Curves({ job, checkpoints }: Props) {
  const { gateway } = useNetwork();
  const { contracts } = useContracts();
  const { run, start, cancel } = useRun<OpenCurve>();
  useOpened(run.state === "running" || run.state === "done");
  const begin = () =>
    start(async (options) =>
      theEngine().call("openCurve", await readOrdered(contracts, gateway!, job), options),
    );
  return (
    <Card title="How it learns">
      <p>
        Your browser fetches every state of the training that its provider has published, holds it against
        what is committed to on the chain, and scores it in exact integers.
        {job.status === "Training" && " New ones are drawn as they come."}
      </p>
      <OnRequest
        {...{ run, begin, cancel }}
        missing={gateway === undefined ? "This network names no gateway to what is stored." : undefined}
        button="Draw its curves"
        failed="The training could not be fetched"
      >
        {(open) => <Drawn gateway={gateway!} open={open} job={job} checkpoints={checkpoints} />}
      </OnRequest>
    </Card>
  );
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function Drawn({ gateway, open, job, checkpoints }: Props & { gateway: string; open: OpenCurve }) {
  const { contracts } = useContracts();
  const { states, wrong, working, error, retry } = useCurveStates(contracts, gateway, open, job, checkpoints);
  const { steps, keptApart, trainedOn } = open;
  const hasClasses = states[0]?.trainedOn.accuracy !== undefined;
  return (
    <>
      {states.length > 0 && (
        <Suspense fallback={<Skeleton lines={4} />}>
          <div className={chartStyles.charts}>
            <CurveChart
              title="Mean loss"
              points={states.map((state) => pointOf(state, ({ loss }) => loss))}
              steps={steps}
              format={(value) => value.toFixed(2)}
            />
            {hasClasses && (
              <CurveChart
                title="Share of samples that are right"
                points={states.map((state) => pointOf(state, ({ accuracy }) => accuracy!))}
                steps={steps}
                most={1}
                format={(value) => `${Math.round(100 * value)} %`}
              />
            )}
          </div>
        </Suspense>
      )}
      {states.length > 0 && <Numbers states={states} hasClasses={hasClasses} />}
      <p>
        {keptApart > 0 &&
          `Kept apart: ${keptApart.toLocaleString("en")} samples that training does not see. `}
        Trained on: the first {trainedOn.toLocaleString("en")} of those that it does.
      </p>
      {working !== undefined && <Working progress={working.progress} />}
      {working === undefined && job.status === "Training" && (
        <p role="status">
          {checkpoints.length === 0
            ? "The provider has published no state yet. It does while it trains where the price is paid in instalments, otherwise when it is done."
            : "Waiting for the next state that the provider publishes."}
        </p>
      )}
      {wrong.map((words) => (
        <Notice key={words} tone="wrong" title="Something that is stored is not what was committed to">
          {words}
        </Notice>
      ))}
      {error !== undefined && <Failed what="A state could not be scored" error={error} retry={retry} />}
    </>
  );
}

function pointOf(
  { step, keptApart, trainedOn }: ScoredState,
  value: (score: ScoredState["trainedOn"]) => number,
) {
  return { step, trainedOn: value(trainedOn), ...(keptApart && { keptApart: value(keptApart) }) };
}

function Numbers({ states, hasClasses }: { states: readonly ScoredState[]; hasClasses: boolean }) {
  const hasKeptApart = states[0]?.keptApart !== undefined;
  const columns = (["keptApart", "trainedOn"] as const)
    .filter((kind) => kind === "trainedOn" || hasKeptApart)
    .flatMap((kind) => {
      const name = kind === "keptApart" ? "kept apart" : "trained on";
      return [
        {
          head: `Loss, ${name}`,
          isNumber: true,
          cell: (state: ScoredState) => state[kind]!.loss.toFixed(4),
        },
        ...(hasClasses
          ? [
              {
                head: `Right, ${name}`,
                isNumber: true,
                cell: (state: ScoredState) => percent(state[kind]!.accuracy!),
              },
            ]
          : []),
      ];
    });
  return (
    <Table
      caption="States of the training"
      rows={states}
      keyOf={({ step }) => String(step)}
      columns={[
        { head: "After step", isNumber: true, cell: ({ step }) => step.toLocaleString("en") },
        ...columns,
        { head: "State root", cell: ({ stateRoot }) => <Id hex={stateRoot} /> },
      ]}
    />
  );
}
