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
import { foundIn, offeredOf } from "./offered.ts";
import { type OrderedDataset, readManifest } from "./read-dataset.ts";
import type { Offered } from "./use-offered.ts";

/** Datasets that can be looked over without searching. */
const mostAtOnce = 10;

type Props = {
  readonly gateway: string;
  readonly form: OrderForm;
  readonly problems: Problems;
  readonly offered: Offered;
  /** The one that was chosen, as the chain and its manifest have it. */
  readonly dataset: UseQueryResult<OrderedDataset>;
  readonly change: (changes: Partial<OrderForm>) => void;
  readonly field: FieldOf;
};

/** What is wrong with the dataset that was named; nothing while none is. */
function problemOf(id: string, problem: string | undefined, kind: string | undefined): string | undefined {
  if (id === "") return undefined;
  if (!/^0x[0-9a-f]{64}$/.test(id)) return "an id is 0x and 64 hexadecimal digits";
  return (
    problem ??
    (kind === undefined || kind === "records" ? undefined : "it holds files, not records to train on")
  );
}

/** The first part of an order: the data, and how samples are made of it. */
export function DataCard({ gateway, form, problems, offered: all, dataset, change, field }: Props) {
  const { readable, isListed, failure, onOlder } = all;
  const [search, setSearch] = useState("");
  const manifests = useQueries({
    queries: readable.map(({ manifestDigest }) => ({
      // Not that of a manifest by its dataset's id: an owner may anchor any digest, the id of another dataset, too.
      queryKey: ["manifest by digest", manifestDigest],
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
      {failure !== undefined && (
        <Failure what="The datasets could not all be listed" error={failure.error} retry={failure.retry} />
      )}
      <Fields>
        <Field
          label="Its id"
          spellCheck={false}
          value={form.datasetId}
          onChange={({ target }) => change({ datasetId: target.value.trim().toLowerCase() })}
          hint="A dataset that is not in the list is found by its id"
          problem={problemOf(form.datasetId, all.problem, known.get(form.datasetId)?.format.kind)}
        />
      </Fields>
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
