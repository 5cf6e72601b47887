import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useEffect } from "react";
import type { Hex } from "viem";
import type { BundleFailure } from "../../../keepers/src/storage/client/fetch-bundles.ts";
import { theEngine } from "../compute/engine.ts";
import { shelvesKey } from "../compute/kept-here.tsx";
import { useRun } from "../compute/use-run.ts";
import { Failed, Working } from "../compute/working.tsx";
import type { EncodedDataset } from "../engine/methods.ts";
import { useNetwork } from "../network/context.ts";
import { Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Table } from "../ui/table.tsx";
import { Account } from "../ui/values.tsx";

type Props = {
  readonly encoded: EncodedDataset;
  readonly datasetId: Hex;
  readonly onward: ((datasetId: Hex) => ReactNode) | undefined;
};

/**
 * Asks whoever holds a bundle for cells of it before it says that the dataset is stored: the chain says only who signed. What
 * is kept in this browser is needed until then.
 */
export function ReadBack({ encoded, datasetId, onward }: Props) {
  const { shelf, manifestBytes, manifest } = encoded;
  const { deployment, rpc } = useNetwork();
  const queries = useQueryClient();
  const { run, start } = useRun<readonly BundleFailure[]>();
  const look = useCallback(
    () =>
      start(async (options) => {
        try {
          const input = { shelf, manifestBytes, datasetId, deployment, rpc };
          return await theEngine().call("readBackDataset", input, options);
        } finally {
          void queries.invalidateQueries({ queryKey: shelvesKey });
        }
      }),
    [start, shelf, manifestBytes, datasetId, deployment, rpc, queries],
  );
  useEffect(look, [look]);
  if (run.state === "failed")
    return <Failed what="The bundles could not be read back" error={run.error} retry={look} />;
  if (run.state !== "done")
    return (
      <>
        <p>All bundles have a storage node. Each is asked for pieces of its bundle now.</p>
        <Working progress={run.state === "running" ? run.progress : undefined} />
      </>
    );
  if (run.output.length === 0)
    return (
      <Notice tone="healthy" title="It is stored">
        <p>
          All {manifest.bundles.length} bundles are with storage nodes that are audited from the next epoch
          on. Each has just given pieces of its bundle back, drawn at random.
        </p>
        {onward?.(datasetId)}
      </Notice>
    );
  return (
    <>
      <Notice tone="wrong" title="Not all storage nodes give their bundles back">
        <p>
          It is paid for, and they answer for it. Keep your files, and what is kept in this browser, until
          they do: any {manifest.k} of {manifest.n} bundles of a segment are needed to restore it.
        </p>
        <Button onClick={look}>Ask them again</Button>
        {onward?.(datasetId)}
      </Notice>
      <Table
        caption="Bundles that were not given back"
        rows={run.output}
        keyOf={({ bundleIndex }) => String(bundleIndex)}
        columns={[
          { head: "Bundle", cell: ({ bundleIndex }) => bundleIndex },
          {
            head: "Storage node",
            cell: ({ operator }) => (operator === undefined ? "nobody" : <Account address={operator} />),
          },
          { head: "Why", cell: ({ reason }) => reason },
        ]}
      />
    </>
  );
}
