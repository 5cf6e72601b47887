import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { type Address, bytesToHex, type Hex } from "viem";
import { useConnection } from "wagmi";
import { manifestDigest, manifestLayout } from "../../../keepers/src/core/dataset/manifest.ts";
import { type RejectedReceipt, sortReceipts } from "../../../keepers/src/storage/client/place.ts";
import { manifestTree } from "../../../keepers/src/storage/client/roots.ts";
import { runner } from "../act/runner.ts";
import styles from "../compute/compute.module.css";
import { theEngine } from "../compute/engine.ts";
import { useRun } from "../compute/use-run.ts";
import { Failed, Working } from "../compute/working.tsx";
import { useContracts } from "../data/use-contracts.ts";
import type { EncodedDataset, UploadedDataset } from "../engine/methods.ts";
import { readAmount } from "../mine/amount.ts";
import { useNetwork } from "../network/context.ts";
import { Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Field, Fields } from "../ui/field.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Account, inTokens } from "../ui/values.tsx";
import { walletWords } from "../wallet/words.ts";
import { leastOfSegment, readStore, type StoreState } from "./read-store.ts";
import { anchorAction, placeAction, type StoreParts } from "./store-actions.ts";

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

type Terms = { readonly feePerAudit: bigint; readonly epochs: number };

function readTerms(fee: string, epochs: string): Terms | { readonly fee?: string; readonly epochs?: string } {
  const amount = readAmount(fee);
  const isCount = /^[1-9]\d{0,5}$/.test(epochs.trim());
  if ("units" in amount && isCount) return { feePerAudit: amount.units, epochs: Number(epochs) };
  return {
    ...("problem" in amount && { fee: amount.problem }),
    ...(!isCount && { epochs: "a whole number, 1 or more" }),
  };
}

function StoreAs({ account, encoded, onward }: Props & { account: Address }) {
  const { deployment, rpc } = useNetwork();
  const { shelf, manifestBytes } = encoded;
  const [fee, setFee] = useState("0.001");
  const [epochs, setEpochs] = useState("30");
  const [refused, setRefused] = useState<readonly RejectedReceipt[]>([]);
  const { run, start, cancel } = useRun<UploadedDataset>();
  const terms = readTerms(fee, epochs);
  const send = (without: readonly RejectedReceipt[] = refused) =>
    start((options) =>
      theEngine().call(
        "uploadDataset",
        { shelf, manifestBytes, owner: account, deployment, rpc, refused: without },
        options,
      ),
    );
  return (
    <>
      <h3>Have it stored</h3>
      <p>
        Storage nodes take the bundles first and sign that they have them. Only then do you anchor the dataset
        and pay: for each bundle and each audit that a node answers.
      </p>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <Fields>
          <Field
            label="Fee for each bundle and audit, in tokens"
            value={fee}
            problem={"fee" in terms ? terms.fee : undefined}
            onChange={({ target }) => setFee(target.value)}
          />
          <Field
            label="Audits paid in advance"
            hint="One each epoch; you can pay for more later"
            value={epochs}
            problem={"epochs" in terms && typeof terms.epochs === "string" ? terms.epochs : undefined}
            onChange={({ target }) => setEpochs(target.value)}
          />
        </Fields>
        {run.state !== "running" && run.state !== "done" && (
          <div className={styles.row}>
            <Button kind="main" type="submit" disabled={!("feePerAudit" in terms)}>
              Send the bundles
            </Button>
          </div>
        )}
      </form>
      {run.state === "running" && <Working progress={run.progress} cancel={cancel} />}
      {run.state === "failed" && (
        <Failed what="The bundles could not be sent" error={run.error} retry={() => send()} />
      )}
      {run.state === "done" && "feePerAudit" in terms && (
        <Sent
          {...{ account, encoded, onward, terms }}
          uploaded={run.output}
          again={(more) => {
            const all = [...refused, ...more];
            setRefused(all);
            send(all);
          }}
        />
      )}
    </>
  );
}

type SentProps = Props & {
  readonly account: Address;
  readonly terms: Terms;
  readonly uploaded: UploadedDataset;
  /** Sends what nobody has, but not to those whose receipts the chain refused. */
  readonly again: (refused: readonly RejectedReceipt[]) => void;
};

/** What storage nodes have signed for, and what is still to be done on chain. */
function Sent({ account, encoded, onward, terms, uploaded, again }: SentProps) {
  const { contracts, client } = useContracts();
  const { deployment } = useNetwork();
  const queries = useQueryClient();
  const [failure, setFailure] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const { manifest, manifestHash, manifestBytes } = encoded;
  const { datasetId, receipts, failures } = uploaded;
  const { segments, bundles } = manifestLayout(manifest);
  const state = useQuery({
    queryKey: ["store", datasetId, String(terms.feePerAudit), terms.epochs],
    queryFn: () => readStore(contracts, account, { datasetId, manifest }, terms),
    refetchInterval: 5_000,
  });
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
  const begin = (making: () => Promise<Parameters<typeof runner.begin>[0] | undefined>) => {
    setFailure(undefined);
    setAsking(true);
    making()
      .then(
        (action) => action !== undefined && runner.begin(action),
        (error: unknown) => setFailure(walletWords(error)),
      )
      .finally(() => setAsking(false));
  };
  const anchor = ({ bond, fees }: StoreState) =>
    begin(() =>
      anchorAction(
        parts,
        {
          datasetId,
          manifest,
          manifestHash,
          manifestDigest: bytesToHex(manifestDigest(manifestBytes)),
          ...terms,
        },
        { bond, fees },
      ),
    );
  const place = ({ held }: StoreState) =>
    begin(async () => {
      const dataset = { datasetId, manifest, tree: manifestTree(manifest) };
      const { good, bad } = await sortReceipts(
        { contracts, chain: { public: client }, account: { address: account } },
        dataset,
        receipts.filter(({ bundleIndex }) => !held.has(bundleIndex)),
      );
      if (bad.length > 0) again(bad);
      return good.length === 0 ? undefined : placeAction(parts, dataset, good);
    });
  return (
    <>
      {state.error !== null && <Failed what="The chain could not be asked" error={state.error} />}
      {failure !== undefined && <Notice tone="wrong" title={failure} />}
      {state.data !== undefined && (
        <Next
          {...{ bundles, segments, uploaded, manifest, onward, isAsking }}
          state={state.data}
          anchor={() => anchor(state.data)}
          place={() => place(state.data)}
          again={() => again([])}
        />
      )}
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

type NextProps = {
  readonly bundles: number;
  readonly segments: number;
  readonly uploaded: UploadedDataset;
  readonly manifest: EncodedDataset["manifest"];
  readonly onward: Props["onward"];
  readonly state: StoreState;
  /** Whether the chain is being asked what the wallet will be asked for. */
  readonly isAsking: boolean;
  readonly anchor: () => void;
  readonly place: () => void;
  readonly again: () => void;
};

/** The next thing to do, of anchoring, placing, and sending what is left. */
function Next(props: NextProps) {
  const { bundles, segments, uploaded, manifest, onward, state, isAsking, anchor, place, again } = props;
  const { datasetId, receipts } = uploaded;
  const { held, isAnchored, bond, fees, balance } = state;
  const promised = new Set([...held, ...receipts.map(({ bundleIndex }) => bundleIndex)]);
  const waiting = receipts.filter(({ bundleIndex }) => !held.has(bundleIndex)).length;
  const isEnough = leastOfSegment(manifest, segments, promised) >= manifest.k;
  const total = bond + fees;
  if (held.size === bundles)
    return (
      <Notice tone="healthy" title="It is stored">
        <p>All {bundles} bundles are with storage nodes that are audited from the next epoch on.</p>
        {onward?.(datasetId)}
      </Notice>
    );
  return (
    <>
      <Facts>
        <Fact name="Signed for by storage nodes">
          {promised.size} of {bundles} bundles
        </Fact>
        <Fact name="On chain">{isAnchored ? `anchored; ${held.size} bundles placed` : "nothing yet"}</Fact>
        {!isAnchored && (
          <Fact name="Cost">
            {inTokens(total, 18)} tokens: {inTokens(fees, 18)} for audits, {inTokens(bond, 18)} as a bond; you
            have {inTokens(balance, 18)}
          </Fact>
        )}
      </Facts>
      {!isEnough && (
        <Notice tone="wrong" title="Too few storage nodes have taken bundles">
          <p>
            Any {manifest.k} of {manifest.n} bundles of a segment are needed to restore it; with fewer nothing
            is paid. Nodes take bundles from pages when they listen for WebSockets.
          </p>
        </Notice>
      )}
      {!isAnchored && isEnough && balance < total && (
        <Notice tone="wrong" title="The account has too few tokens for it" />
      )}
      <div className={styles.row}>
        {!isAnchored && isEnough && (
          <Button kind="main" onClick={anchor} disabled={isAsking || balance < total}>
            Anchor it and pay
          </Button>
        )}
        {isAnchored && waiting > 0 && (
          <Button kind="main" onClick={place} disabled={isAsking}>
            Place the bundles
          </Button>
        )}
        {promised.size < bundles && <Button onClick={again}>Send what nobody has taken</Button>}
      </div>
    </>
  );
}
