import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useRef, useState } from "react";
import type { Address, Hex } from "viem";
import { useConnection } from "wagmi";
import type { DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import { costOf } from "../../../keepers/src/roles/consumer/order-cost.ts";
import { StoredDatasetsDocument } from "../../../subgraph/queries/documents.ts";
import { runner } from "../act/runner.ts";
import { theEngine } from "../compute/engine.ts";
import { useAnswer } from "../data/use-answer.ts";
import { useContracts } from "../data/use-contracts.ts";
import { useNetwork } from "../network/context.ts";
import { Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card, PageHead } from "../ui/card.tsx";
import { Choice, Field, Fields } from "../ui/field.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { EmptyState, Failure, Skeleton } from "../ui/states.tsx";
import { Amount, Id, shortly } from "../ui/values.tsx";
import { walletWords } from "../wallet/words.ts";
import { checkForm, firstForm, type OrderForm } from "./form.ts";
import { ModelCard } from "./model-card.tsx";
import { auctionAction, postAction } from "./order-actions.ts";
import type { HeldModel } from "./own-model.tsx";
import { Placed, type PlacedOrder } from "./placed.tsx";
import { readDataset } from "./read-dataset.ts";

/** Orders a training: what is trained, on what, on which terms, and what it costs in all. */
export default function OrderPage() {
  const { address } = useConnection();
  const { gateway } = useNetwork();
  if (gateway === undefined) {
    return (
      <>
        <PageHead title="Order a training" />
        <EmptyState title="This network names no storage gateway, from which a dataset's description could be read.">
          <code>assay order create</code> orders without one.
        </EmptyState>
      </>
    );
  }
  return <Wizard gateway={gateway} account={address} />;
}

function Wizard({ gateway, account }: { gateway: string; account: Address | undefined }) {
  const { deployment } = useNetwork();
  const { contracts, client } = useContracts();
  const queries = useQueryClient();
  const [form, setForm] = useState<OrderForm>(firstForm);
  const [file, setFile] = useState<File>();
  const [held, setHeld] = useState<HeldModel>();
  const [failure, setFailure] = useState<string>();
  const [placed, setPlaced] = useState<PlacedOrder>();
  const datasets = useAnswer(StoredDatasetsDocument, { first: 100 });
  const usable = (datasets.data?.datasets ?? []).filter(
    ({ isClosed, isFraudulent, isEncrypted }) => !isClosed && !isFraudulent && !isEncrypted,
  );
  const chosen = usable.find(({ id }) => id === form.datasetId);
  const checked = checkForm(form);
  const problems = "problems" in checked ? checked.problems : {};
  const dataset = useQuery({
    queryKey: ["dataset", form.datasetId],
    enabled: chosen !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) =>
      readDataset(
        contracts,
        gateway,
        { id: chosen!.id as Hex, digest: chosen!.manifestDigest as Hex },
        signal,
      ),
  });
  const settled = useDeferredValue(form);
  // Who orders is part of an order; until somebody is connected its cost is told for nobody in particular.
  const consumer = account ?? "0x0000000000000000000000000000000000000001";
  const isOwn = settled.model === "onnx";
  const own = isOwn && held?.file === file ? held : undefined;
  const described = useQuery({
    queryKey: ["described", settled, consumer, dataset.data?.datasetId, own?.datasetId],
    enabled: dataset.data !== undefined && "form" in checkForm(settled) && (!isOwn || own !== undefined),
    retry: 0,
    gcTime: 0,
    queryFn: async ({ signal }) => {
      const complete = checkForm(settled);
      if (!("form" in complete)) throw new Error("the form is not complete");
      const { timestamp } = await client.getBlock();
      const choice = { form: complete.form, dataset: dataset.data!, consumer, now: timestamp };
      const made = await theEngine().call("describeOrder", { ...choice, own }, { signal });
      return { described: made, cost: await costOf(contracts, made), form: complete.form };
    },
  });
  const field = (name: keyof OrderForm) => ({
    value: form[name],
    onChange: (event: { target: { value: string } }) => setForm({ ...form, [name]: event.target.value }),
    problem: problems[name],
  });
  // A wallet may answer when this page was long left: then the dialog says what became of it.
  const isHere = useRef(false);
  useEffect(() => {
    isHere.current = true;
    return () => {
      isHere.current = false;
    };
  }, []);
  const done =
    ({ orderHash }: DescribedOrder, way: PlacedOrder["way"]) =>
    (hash: Hex | undefined, isWatched: boolean) => {
      void queries.invalidateQueries();
      if (hash === undefined || !isHere.current) return;
      setPlaced({ way, hash, orderHash, isWatched });
      if (isWatched) runner.leave();
    };
  const begin = () => {
    if (described.data === undefined || account === undefined) return;
    const { described: made, cost, form: complete } = described.data;
    const parts = { contracts, deployment, account, described: made, cost, done: done(made, complete.way) };
    setFailure(undefined);
    const making =
      complete.way === "auction" ? auctionAction(parts, 60 * complete.auctionMinutes) : postAction(parts);
    making.then(
      (action) => runner.begin(action),
      (error: unknown) => setFailure(walletWords(error)),
    );
  };
  const { conditions } = described.data?.described.order ?? {};
  if (placed !== undefined) return <Placed placed={placed} onAnother={() => setPlaced(undefined)} />;
  return (
    <>
      <PageHead title="Order a training">
        Somebody with a machine trains it; you pay once it is proved to be right, and get what is left back.
      </PageHead>
      <Card title="1. The data">
        <Choice
          label="Dataset"
          value={form.datasetId}
          onChange={(event) => setForm({ ...form, datasetId: event.target.value })}
          hint="Anchored datasets that are whole and not encrypted"
        >
          <option value="">Choose one</option>
          {usable.map(({ id, objectCount, objectSize }) => (
            <option key={id} value={id}>
              {shortly(id)}: {Number(objectCount).toLocaleString("en")} objects of{" "}
              {Number(objectSize).toLocaleString("en")} bytes
            </option>
          ))}
        </Choice>
        {dataset.error !== null && (
          <Failure
            what="The dataset cannot be ordered on"
            error={dataset.error}
            retry={() => void dataset.refetch()}
          />
        )}
        {dataset.isLoading && <Skeleton lines={2} label="Reading its manifest" />}
        {dataset.data !== undefined && (
          <Facts>
            <Fact name="Name">{dataset.data.manifest.name}</Fact>
            <Fact name="Licence">{dataset.data.manifest.licence || "–"}</Fact>
            <Fact name="What it is">{dataset.data.manifest.description || "–"}</Fact>
          </Facts>
        )}
        <Fields>
          <Field
            label="Share to train on"
            {...field("share")}
            hint="The rest is kept apart to score the model"
          />
          <Field label="Classes" inputMode="numeric" {...field("classes")} />
          <Field
            label="Inputs are divided by two to the"
            inputMode="numeric"
            {...field("scale")}
            hint="4 for numbers up to 16, 8 for bytes"
          />
        </Fields>
      </Card>
      <ModelCard
        {...{ form, field, file }}
        checked={"form" in checked ? checked.form : undefined}
        dataset={dataset.data}
        stored={usable}
        change={(changes) => setForm({ ...form, ...changes })}
        onFile={setFile}
        onStored={setHeld}
      />
      <Card title="3. The terms">
        <Fields>
          <Choice
            label="Who gets the order"
            value={form.way}
            onChange={(event) => setForm({ ...form, way: event.target.value as OrderForm["way"] })}
          >
            <option value="auction">The lowest of sealed bids</option>
            <option value="direct">Whoever takes it first</option>
          </Choice>
          <Field label="Pay at most, tokens" inputMode="decimal" {...field("price")} />
          {form.way === "auction" && (
            <Field
              label="Minutes for each phase of the auction"
              inputMode="numeric"
              {...field("auctionMinutes")}
            />
          )}
          <Field label="Hours in which it can be taken" inputMode="numeric" {...field("expiryHours")} />
          <Field label="Minutes to train" inputMode="numeric" {...field("trainingMinutes")} />
          <Field
            label="Instalments"
            inputMode="numeric"
            {...field("instalments")}
            hint="1: one payment at the end"
          />
        </Fields>
        <Fields>
          <Field
            label="Validators that check it"
            inputMode="numeric"
            {...field("committee")}
            hint="0: nobody has to; anyone may dispute it"
          />
          <Field label="Of whom must agree" inputMode="numeric" {...field("threshold")} />
          <Field label="Fee for each interval checked, tokens" inputMode="decimal" {...field("checkFee")} />
        </Fields>
      </Card>
      <Card title="What it costs">
        {described.error !== null ? (
          <Failure what="This cannot be ordered" error={described.error} />
        ) : described.data === undefined || conditions === undefined ? (
          <EmptyState
            title={
              form.datasetId === ""
                ? "Choose a dataset, and the whole cost is told here."
                : Object.keys(problems).length > 0
                  ? "Something above is not right yet."
                  : isOwn && own === undefined
                    ? "Once the model's file can be trained and is stored, the whole cost is told here."
                    : "Compiling the program and counting its steps."
            }
          />
        ) : (
          <Facts>
            <Fact name="Price, at most">
              <Amount units={conditions.deposit} />
            </Fact>
            <Fact name="Committee">
              <Amount units={described.data.cost - conditions.deposit} />
            </Fact>
            <Fact name="In all, at most">
              <strong>
                <Amount units={described.data.cost} />
              </strong>{" "}
              and gas
            </Fact>
            <Fact name="Program root">
              <Id hex={described.data.described.order.problem.programRoot} />
            </Fact>
          </Facts>
        )}
        {account === undefined && <Notice tone="neutral" title="Connect a wallet to order it." />}
        {failure !== undefined && <Notice tone="wrong" title={failure} />}
        <div>
          <Button
            kind="main"
            disabled={account === undefined || described.data === undefined}
            onClick={begin}
          >
            Look it over and sign
          </Button>
        </div>
      </Card>
    </>
  );
}
