import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useRef, useState } from "react";
import type { Address, Hex } from "viem";
import { useConnection } from "wagmi";
import type { DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import { costOf } from "../../../keepers/src/roles/consumer/order-cost.ts";
import { runner } from "../act/runner.ts";
import { theEngine } from "../compute/engine.ts";
import { useContracts } from "../data/use-contracts.ts";
import { useNetwork } from "../network/context.ts";
import { atMost } from "../ui/amounts.ts";
import { Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card, PageHead } from "../ui/card.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { EmptyState, Failure } from "../ui/states.tsx";
import { Id } from "../ui/values.tsx";
import { walletWords } from "../wallet/words.ts";
import { DataCard } from "./data-card.tsx";
import { checkForm, firstForm, type OrderForm } from "./form.ts";
import { type FieldOf, ModelCard } from "./model-card.tsx";
import { auctionAction, postAction } from "./order-actions.ts";
import type { HeldModel } from "./own-model.tsx";
import { Placed, type PlacedOrder } from "./placed.tsx";
import { promisedBy } from "./posted.ts";
import { readDataset } from "./read-dataset.ts";
import { TermsCard } from "./terms-card.tsx";
import { useOffered } from "./use-offered.ts";
import { usePosted } from "./use-posted.ts";

/**
 * Orders a training: what is trained, on what, on which terms, and what it costs in all.
 * @param dataset id of the dataset that is chosen at first
 */
export default function OrderPage({ dataset = "" }: { dataset?: string | undefined }) {
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
  return <Wizard gateway={gateway} account={address} first={{ ...firstForm, datasetId: dataset }} />;
}

type WizardProps = {
  readonly gateway: string;
  readonly account: Address | undefined;
  readonly first: OrderForm;
};

function Wizard({ gateway, account, first }: WizardProps) {
  const { deployment } = useNetwork();
  const { contracts, client } = useContracts();
  const queries = useQueryClient();
  const [form, setForm] = useState<OrderForm>(first);
  const [file, setFile] = useState<File>();
  const [held, setHeld] = useState<HeldModel>();
  const [failure, setFailure] = useState<string>();
  const [placed, setPlaced] = useState<PlacedOrder>();
  const offered = useOffered(form.datasetId);
  const { chosen } = offered;
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
  const change = (changes: Partial<OrderForm>) => setForm({ ...form, ...changes });
  const field: FieldOf = (name) => ({
    value: form[name],
    onChange: ({ target }) => change({ [name]: target.value }),
    problem: problems[name],
  });
  const posted = usePosted(account);
  const [justPosted, setJustPosted] = useState<readonly { id: string; cost: bigint }[]>([]);
  /** What posted orders may still take, also those that no index has seen yet. */
  const promised = async (): Promise<bigint> => {
    const { listed, open } = await posted();
    const unseen = justPosted.filter(({ id }) => !listed.has(id));
    return promisedBy(open) + unseen.reduce((sum, { cost }) => sum + cost, 0n);
  };
  // A wallet may answer when this page was long left: then the dialog says what became of it.
  const isHere = useRef(false);
  useEffect(() => {
    isHere.current = true;
    return () => {
      isHere.current = false;
    };
  }, []);
  const done =
    ({ orderHash }: DescribedOrder, cost: bigint, way: PlacedOrder["way"]) =>
    (hash: Hex | undefined, isWatched: boolean) => {
      void queries.invalidateQueries();
      if (hash === undefined || !isHere.current) return;
      if (way === "direct") setJustPosted([...justPosted, { id: orderHash, cost }]);
      setPlaced({ way, hash, orderHash, isWatched });
      if (isWatched) runner.leave();
    };
  const begin = () => {
    if (described.data === undefined || account === undefined) return;
    const { described: made, cost, form: complete } = described.data;
    const rest = {
      contracts,
      deployment,
      account,
      described: made,
      cost,
      done: done(made, cost, complete.way),
    };
    setFailure(undefined);
    const making = async () => {
      const parts = { ...rest, promised: await promised() };
      return complete.way === "auction"
        ? auctionAction(parts, 60 * complete.auctionMinutes)
        : postAction(parts);
    };
    making().then(
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
      <DataCard {...{ gateway, form, problems, dataset, offered, change, field }} />
      <ModelCard
        {...{ form, problems, field, file, change }}
        checked={"form" in checked ? checked.form : undefined}
        dataset={dataset.data}
        onFile={setFile}
        onStored={setHeld}
      />
      <TermsCard {...{ form, problems, change, field }} />
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
            <Fact name="Price, at most">{atMost(conditions.deposit)} tokens</Fact>
            <Fact name="Committee, at most">{atMost(described.data.cost - conditions.deposit)} tokens</Fact>
            <Fact name="In all, at most">
              <strong>{atMost(described.data.cost)} tokens</strong> and gas
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
