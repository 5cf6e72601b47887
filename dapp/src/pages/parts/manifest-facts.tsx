import type { Hex } from "viem";
import { useNetwork } from "../../network/context.ts";
import { Card } from "../../ui/card.tsx";
import { Fact, Facts } from "../../ui/stat.tsx";
import { EmptyState, Failure, Skeleton } from "../../ui/states.tsx";
import { useManifest } from "./use-manifest.ts";

/** What an owner says of a dataset: its manifest, from the gateway, held against the hash that is anchored. */
export default function ManifestFacts({ id, digest }: { id: Hex; digest: Hex }) {
  const { gateway } = useNetwork();
  const read = useManifest(id, digest);
  return (
    <Card title="What its owner says of it">
      {gateway === undefined ? (
        <EmptyState title="This network names no gateway to what is stored." />
      ) : read.error !== null ? (
        <Failure what="The manifest could not be read" error={read.error} retry={() => void read.refetch()} />
      ) : read.data === undefined ? (
        <Skeleton lines={3} label="Reading the manifest" />
      ) : (
        <Facts>
          <Fact name="Name">{read.data.manifest.name}</Fact>
          <Fact name="Licence">{read.data.manifest.licence || "none is named"}</Fact>
          <Fact name="Description">{read.data.manifest.description || "–"}</Fact>
          <Fact name="Kind">{read.data.manifest.format.kind}</Fact>
        </Facts>
      )}
    </Card>
  );
}
