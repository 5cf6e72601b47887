import { useState } from "react";
import { useContracts } from "../data/use-contracts.ts";
import type { FetchedJob, IntervalVerdict } from "../engine/methods.ts";
import { useNetwork } from "../network/context.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { AskModel } from "./ask-model.tsx";
import { Checks, Verdict } from "./checks.tsx";
import styles from "./compute.module.css";
import { theEngine, useOpened } from "./engine.ts";
import { type JobToFetch, readJobInput } from "./job-input.ts";
import { OnRequest } from "./on-request.tsx";
import { useRun } from "./use-run.ts";
import { Failed, Working } from "./working.tsx";

/**
 * A job with a result, checked in the visitor's own browser: what it consists of is fetched, intervals of its training are
 * computed again, and its model can be asked.
 */
export default function VerifyHere({ job }: { job: JobToFetch }) {
  const { gateway } = useNetwork();
  const { contracts } = useContracts();
  const { run, start, cancel } = useRun<FetchedJob>();
  useOpened(run.state === "running" || run.state === "done");
  const begin = () =>
    start(async (options) =>
      theEngine().call("fetchJob", await readJobInput(contracts, gateway!, job), options),
    );
  return (
    <>
      <Card title="Verify here">
        <p>
          Your browser fetches the program, the data and the stored result, hashes every byte of them, and
          computes parts of the training again in exact integers. Nobody has to be believed but the chain.
        </p>
        <OnRequest
          {...{ run, begin, cancel }}
          missing={gateway === undefined ? "This network names no gateway to what is stored." : undefined}
          button="Fetch and check it"
          failed="The job could not be checked"
        >
          {(fetched) => <Fetched fetched={fetched} />}
        </OnRequest>
      </Card>
      {run.state === "done" && run.output.model !== undefined && <AskModel model={run.output.model} />}
    </>
  );
}

function Fetched({ fetched }: { fetched: FetchedJob }) {
  const { job, intervals, stepsPerInterval, checks, hasLeaves, model } = fetched;
  const [interval, setInterval] = useState("0");
  const { run, start, cancel } = useRun<IntervalVerdict>();
  const verify = () =>
    start((options) => theEngine().call("verifyJob", { job, interval: Number(interval) }, options));
  return (
    <>
      {run.state !== "done" && <Checks checks={checks} />}
      {model === undefined && (
        <p>
          The state that is stored is not the one that the provider committed to: there is no model to ask.
        </p>
      )}
      {!hasLeaves ? (
        <p>The trace is not stored, or is another one: there is nothing to compare an interval with.</p>
      ) : (
        <form
          className={styles.row}
          onSubmit={(event) => {
            event.preventDefault();
            verify();
          }}
        >
          <Field
            label={`Interval of ${stepsPerInterval} steps, 0 to ${intervals - 1}`}
            type="number"
            min={0}
            max={intervals - 1}
            required
            value={interval}
            onChange={({ target }) => setInterval(target.value)}
          />
          <Button kind="main" type="submit" disabled={run.state === "running"}>
            Compute it again
          </Button>
        </form>
      )}
      {run.state === "running" && <Working progress={run.progress} cancel={cancel} />}
      {run.state === "failed" && <Failed what="The interval could not be computed" error={run.error} />}
      {run.state === "done" && <Verdict verdict={run.output} />}
    </>
  );
}
