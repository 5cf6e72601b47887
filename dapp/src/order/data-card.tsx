import { type UseQueryResult, useQueries } from "@tanstack/react-query";
import { useState } from "react";
import type { Hex } from "viem";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Choice, Field, Fields } from "../ui/field.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { Failure, Skeleton } from "../ui/states.tsx";
import { shortly } from "../ui/values.tsx";
import type { OrderForm, Problems } from "./form.ts";
import type { FieldOf } from "./model-card.tsx";
import { MoreSettings } from "./more-settings.tsx";
import { foundIn, offeredOf, type StoredDataset } from "./offered.ts";
import { type OrderedDataset, readManifest } from "./read-dataset.ts";

/** Datasets that can be looked over without searching. */
const mostAtOnce = 10;

type Props = {
  readonly gateway: string;
  readonly form: OrderForm;
  readonly problems: Problems;
  /** Those whose bytes can be had. */
  readonly readable: readonly StoredDataset[];
  readonly isListed: boolean;
  /** Has older datasets listed, too; left out where there are none. */
  readonly onOlder: (() => void) | undefined;
  /** The one that was chosen, as the chain and its manifest have it. */
  readonly dataset: UseQueryResult<OrderedDataset>;
  readonly change: (changes: Partial<OrderForm>) => void;
  readonly field: FieldOf;
};

/** The first part of an order: the data, and how samples are made of it. */
export function DataCard({
  gateway,
  form,
  problems,
  readable,
  isListed,
  onOlder,
  dataset,
  change,
  field,
}: Props) {
  const [search, setSearch] = useState("");
  const manifests = useQueries({
    queries: readable.map(({ manifestDigest }) => ({
      queryKey: ["manifest", manifestDigest],
      staleTime: Number.POSITIVE_INFINITY,
      queryFn: ({ signal }: { signal: AbortSignal }) => readManifest(gateway, manifestDigest as Hex, signal),
    })),
  });
  const known = new Map(
    readable.flatMap(({ id }, at) => {
      const { data } = manifests[at] ?? {};
      return data === undefined ? [] : [[id, data] as const];
    }),
  );
  const unread = manifests.filter(({ isError }) => isError).length;
  const isReading = !isListed || manifests.some(({ isPending }) => isPending);
  const offered = offeredOf(readable, known);
  const found = foundIn(offered, search);
  // What is chosen stays in the list, whatever is searched for.
  const shown = offered.filter((each) => each.id === form.datasetId || found.includes(each));
  return (
    <Card title="1. The data">
      {offered.length > mostAtOnce && (
        <Field
          label="Search"
          type="search"
          value={search}
          onChange={({ target }) => setSearch(target.value)}
          hint={`${found.length} of ${offered.length} datasets`}
        />
      )}
      <Choice
        label="Dataset"
        value={form.datasetId}
        onChange={({ target }) => change({ datasetId: target.value })}
        hint={
          isReading
            ? "Reading what is stored"
            : `Datasets of records that can be read and are not encrypted${
                unread === 0 ? "" : `; the gateway gave no description of ${unread} more`
              }`
        }
      >
        <option value="">{!isReading && offered.length === 0 ? "There is none" : "Choose one"}</option>
        {shown.map(({ id, name, dataset: { objectCount, objectSize } }) => (
          <option key={id} value={id}>
            {name} ({shortly(id)}): {Number(objectCount).toLocaleString("en")} objects of{" "}
            {Number(objectSize).toLocaleString("en")} bytes
          </option>
        ))}
      </Choice>
      {onOlder !== undefined && (
        <div>
          <Button onClick={onOlder}>List older datasets, too</Button>
        </div>
      )}
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
        <Field label="Classes" inputMode="numeric" {...field("classes")} />
      </Fields>
      <MoreSettings hasProblem={(problems.share ?? problems.scale) !== undefined}>
        <Fields>
          <Field
            label="Share to train on"
            {...field("share")}
            hint="The rest is kept apart to score the model"
          />
          <Field
            label="Inputs are divided by two to the"
            inputMode="numeric"
            {...field("scale")}
            hint="4 for numbers up to 16, 8 for bytes"
          />
        </Fields>
      </MoreSettings>
    </Card>
  );
}
