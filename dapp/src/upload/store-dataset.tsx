import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useMemo, useState } from "react";
import { type Address, bytesToHex, formatUnits, type Hex, zeroHash } from "viem";
import { useConnection } from "wagmi";
import { manifestDigest, manifestLayout } from "../../../keepers/src/core/dataset/manifest.ts";
import type { RejectedReceipt } from "../../../keepers/src/storage/client/place.ts";
import { manifestTree } from "../../../keepers/src/storage/client/roots.ts";
import { manifestHashes, type OfferedTerms, offeredId } from "../../../keepers/src/storage/client/terms.ts";
import { runner } from "../act/runner.ts";
import type { Action } from "../act/steps.ts";
import styles from "../compute/compute.module.css";
import { theEngine } from "../compute/engine.ts";
import { useRun } from "../compute/use-run.ts";
import { Failed, Working } from "../compute/working.tsx";
import { useContracts } from "../data/use-contracts.ts";
import type { EncodedDataset, UploadedDataset } from "../engine/methods.ts";
import { isGoodFor } from "../engine/receipt-term.ts";
import { Shelf } from "../engine/shelf.ts";
import { useNetwork } from "../network/context.ts";
import { Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Field, Fields } from "../ui/field.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Account, Id, inTokens } from "../ui/values.tsx";
import { walletWords } from "../wallet/words.ts";
import { earlierTerms, offeredNow } from "./earlier-terms.ts";
import { NextStep } from "./next-step.tsx";
import { readStore, type StoreState } from "./read-store.ts";
import { sortForPlacing } from "./sort-for-placing.ts";
import { anchorAction, placeAction, type StoreParts } from "./store-actions.ts";
import { readTerms } from "./terms.ts";

type Props = {
  readonly encoded: EncodedDataset;
  /** What is offered once it is stored. */
  readonly onward?: (datasetId: Hex) => ReactNode;
};

/** Brings an encoded dataset to storage nodes and on chain, as the connected account. */
export function StoreDataset(props: Props) {
  const { address } = useConnection();
  if (address === undefined) return <EmptyState title="Connect a wallet to have it stored from here." />;
  return <StoreAs key={address} account={address} {...props} />;
}

/** Milliseconds between two looks at the chain while something is left to do. */
const pause = 5_000;

const ended = {
  closed:
    "You have closed this dataset. The registry takes the same manifest under the same terms only once: change its description, say, to have it stored anew.",
  fraudulent: "Its bundles were proved to be no encoding of it. It cannot be stored under this manifest.",
  over: "The audits that were paid for are over. Pay for more of them on its page before it can be placed.",
} as const;

function StoreAs({ account, encoded, onward }: Props & { account: Address }) {
  const { contracts, client } = useContracts();
  const { deployment, rpc } = useNetwork();
  const { shelf, manifest, manifestBytes } = encoded;
  const { bundles } = manifestLayout(manifest);
  // Tens of milliseconds for the longest manifests: not at every key that is typed.
  const hashes = useMemo(() => manifestHashes(manifest, manifestBytes), [manifest, manifestBytes]);
  const earlier = useQuery({
    queryKey: ["earlier-terms", shelf, account, encoded.manifestHash],
    queryFn: async () => {
      const idOf = (terms: OfferedTerms) => offeredId(deployment, account, manifest, hashes, terms);
      return (await earlierTerms(contracts, await Shelf.find(shelf), idOf)) ?? null;
    },
  });
  const [typed, setTyped] = useState<{ fee?: string; epochs?: string }>({});
  const before = earlier.data?.terms;
  const fee = typed.fee ?? (before === undefined ? "0.001" : formatUnits(before.feePerAudit, 18));
  const epochs = typed.epochs ?? String(before?.epochs ?? 30);
  const [refused, setRefused] = useState<readonly RejectedReceipt[]>([]);
  const { run, start, cancel } = useRun<UploadedDataset>();
  const read = readTerms(fee, epochs);
  const terms = "terms" in read ? read.terms : undefined;
  const problems = "problems" in read ? read.problems : {};
  const inForce = useQuery({
    queryKey: ["storage-parameters"],
    queryFn: () => contracts.DatasetRegistry.read.parameters(),
  });
  // The id of a dataset is its terms: what nodes sign for is what will be anchored.
  const offered: OfferedTerms | undefined =
    terms && inForce.data && !earlier.isPending
      ? offeredNow({ ...terms, previous: zeroHash, parameters: inForce.data }, earlier.data ?? undefined)
      : undefined;
  const datasetId = offered && offeredId(deployment, account, manifest, hashes, offered);
  const { data: state, error: unread } = useQuery({
    queryKey: ["store", datasetId],
    enabled: datasetId !== undefined,
    queryFn: () => readStore({ contracts, client }, account, { datasetId: datasetId!, manifest }, terms!),
    refetchInterval: ({ state: { data } }) => (data?.held.size === bundles ? false : pause),
  });
  const error = inForce.error ?? unread;
  const others = useQuery({
    queryKey: ["uploads", shelf, datasetId],
    enabled: datasetId !== undefined,
    queryFn: async () => (await (await Shelf.find(shelf)).uploads()).filter((id) => id !== datasetId),
  });
  const send = () =>
    start((options) =>
      theEngine().call(
        "uploadDataset",
        { shelf, manifestBytes, owner: account, terms: offered!, deployment, rpc, refused },
        options,
      ),
    );
  const end = state && state.held.size < bundles ? ended[state.standing as keyof typeof ended] : undefined;
  const isPaid = state !== undefined && state.standing !== "new";
  return (
    <>
      <h3>Have it stored</h3>
      <p>
        Storage nodes take the bundles first and sign that they have them. Only then do you anchor the dataset
        and pay: for each bundle and each audit that a node answers.
      </p>
      {others.data?.map((id) => (
        <Notice key={id} tone="waiting" title="These files were sent before, as another dataset">
          <p>
            With another fee, number of audits, licence, description or account they are dataset{" "}
            <Id hex={id} to={`/datasets/${id}`} />. Give the same again to go on with that one; this one is
            stored, and paid for, by itself.
          </p>
        </Notice>
      ))}
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        {!isPaid && (
          <Fields>
            <Field
              label="Fee for each bundle and audit, in tokens"
              value={fee}
              problem={problems.fee}
              onChange={({ target }) => setTyped({ ...typed, fee: target.value })}
            />
            <Field
              label="Audits paid in advance"
              hint="One each epoch; you can pay for more later"
              value={epochs}
              problem={problems.epochs}
              onChange={({ target }) => setTyped({ ...typed, epochs: target.value })}
            />
          </Fields>
        )}
        {error !== null && <Failed what="The chain could not be asked" error={error} />}
        {state !== undefined && <Cost {...{ state, bundles }} />}
        {end !== undefined && <Notice tone="wrong" title={end} />}
        {run.state !== "running" && run.state !== "done" && state?.held.size !== bundles && (
          <div className={styles.row}>
            <Button
              kind="main"
              type="submit"
              disabled={state === undefined || end !== undefined || (!isPaid && !canPay(state))}
            >
              Send the bundles
            </Button>
          </div>
        )}
      </form>
      {state !== undefined && !isPaid && !canPay(state) && (
        <Notice tone="wrong" title="The account has too few tokens for it" />
      )}
      {run.state === "running" && <Working progress={run.progress} cancel={cancel} />}
      {run.state === "failed" && (
        <Failed what="The bundles could not be sent" error={run.error} retry={send} />
      )}
      {state !== undefined && offered !== undefined && end === undefined && run.state !== "running" && (
        <Sent
          {...{ account, encoded, onward, terms: offered, state, refused }}
          uploaded={run.state === "done" ? run.output : undefined}
          onRefused={(lost) => setRefused([...refused, ...lost])}
          again={send}
        />
      )}
    </>
  );
}

function canPay({ balance, bond, fees }: StoreState): boolean {
  return balance >= bond + fees;
}

function Cost({ state, bundles }: { state: StoreState; bundles: number }) {
  const { standing, bond, fees, balance, held } = state;
  return (
    <Facts>
      <Fact name="On chain">
        {standing === "new" ? "nothing yet" : `anchored; ${held.size} of ${bundles} bundles placed`}
      </Fact>
      {standing === "new" && (
        <Fact name="Cost">
          {inTokens(bond + fees, 18)} tokens: {inTokens(fees, 18)} for audits, {inTokens(bond, 18)} as a bond;
          you have {inTokens(balance, 18)}
        </Fact>
      )}
    </Facts>
  );
}

type SentProps = Props & {
  readonly account: Address;
  readonly terms: OfferedTerms;
  readonly state: StoreState;
  /** What came of sending it; undefined before. */
  readonly uploaded: UploadedDataset | undefined;
  readonly refused: readonly RejectedReceipt[];
  /** Told which receipts the chain will never take. */
  readonly onRefused: (lost: readonly RejectedReceipt[]) => void;
  /** Sends what nobody has. */
  readonly again: () => void;
};

/** What storage nodes have signed for, and what is still to be done on chain. */
function Sent(props: SentProps) {
  const { account, encoded, onward, terms, state, uploaded, refused, onRefused, again } = props;
  const { contracts, client } = useContracts();
  const { deployment } = useNetwork();
  const queries = useQueryClient();
  const [failure, setFailure] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const { manifest, manifestHash, manifestBytes } = encoded;
  const { segments, bundles } = manifestLayout(manifest);
  const { datasetId, held, now } = state;
  const receipts = (uploaded?.receipts ?? []).filter(
    (receipt) =>
      !held.has(receipt.bundleIndex) &&
      isGoodFor(receipt, now) &&
      !refused.some((each) => each.bundleIndex === receipt.bundleIndex && each.operator === receipt.operator),
  );
  const parts: StoreParts = {
    contracts,
    client,
    deployment,
    account,
    done: () => {
      runner.leave();
      void queries.invalidateQueries();
    },
  };
  const begin = (making: () => Promise<Action | undefined>) => {
    setFailure(undefined);
    setAsking(true);
    making()
      .then(
        (action) => action !== undefined && runner.begin(action),
        (error: unknown) => setFailure(walletWords(error)),
      )
      .finally(() => setAsking(false));
  };
  const anchor = () =>
    begin(() => {
      const commitments = {
        manifest,
        manifestHash,
        manifestDigest: bytesToHex(manifestDigest(manifestBytes)),
      };
      return anchorAction(parts, { datasetId, ...commitments, terms }, state);
    });
  const place = () =>
    begin(async () => {
      const dataset = { datasetId, manifest, tree: manifestTree(manifest) };
      const { batches, lost, notNow } = await sortForPlacing(parts, dataset, receipts);
      if (lost.length > 0) onRefused(lost);
      if (notNow !== undefined)
        setFailure(`The chain does not take it now: ${notNow}. What storage nodes have signed is kept.`);
      return batches.length === 0 ? undefined : placeAction(parts, dataset, batches);
    });
  if (uploaded === undefined && held.size < bundles) return null;
  const failures = [...(uploaded?.failures ?? []), ...refused];
  return (
    <>
      {uploaded !== undefined && (
        <Facts>
          <Fact name="Taken by storage nodes">
            {held.size + receipts.length} of {bundles} bundles
          </Fact>
        </Facts>
      )}
      {failure !== undefined && <Notice tone="wrong" title={failure} />}
      <NextStep
        {...{ bundles, segments, encoded, onward, state, isAsking, anchor, place, again }}
        signed={new Set(receipts.map(({ bundleIndex }) => bundleIndex))}
      />
      {failures.length > 0 && (
        <Table
          caption="Storage nodes that did not take a bundle"
          rows={failures}
          keyOf={({ bundleIndex, operator }) => `${bundleIndex}${operator}`}
          columns={[
            { head: "Bundle", cell: ({ bundleIndex }) => bundleIndex },
            { head: "Storage node", cell: ({ operator }) => <Account address={operator} /> },
            { head: "Why", cell: ({ reason }) => reason },
          ]}
        />
      )}
    </>
  );
}
