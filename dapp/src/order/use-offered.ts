import { useState } from "react";
import { OfferedDatasetDocument, OfferedDatasetsDocument } from "../../../subgraph/queries/documents.ts";
import { useAnswer, useAnswers } from "../data/use-answer.ts";
import { canBeRead, hasOlder, type OfferedRow, pagesOf, rowsOf, unusable } from "./offered.ts";

/** Datasets that an order can be for. */
export type Offered = {
  /** Those whose bytes can be had, the newest first; the one that was named is among them. */
  readonly readable: readonly OfferedRow[];
  /** The one with the id that was named, when something can be ordered on it. */
  readonly chosen: OfferedRow | undefined;
  /** Why nothing can be ordered on the one that was named. */
  readonly problem: string | undefined;
  readonly isListed: boolean;
  /** Why a page of the list could not be read, and how to try again. */
  readonly failure: { readonly error: unknown; retry(): void } | undefined;
  /** Has older datasets listed, too; undefined where there are none. */
  readonly onOlder: (() => void) | undefined;
};

/**
 * What is offered to order on: a list, page by page, and the dataset with an id. Whoever anchors many datasets pushes others
 * down the list, but keeps nobody from naming one.
 */
export function useOffered(datasetId: string): Offered {
  const [pages, setPages] = useState(1);
  const listed = useAnswers(OfferedDatasetsDocument, pagesOf(pages));
  const rows = rowsOf(listed.map(({ data }) => data));
  const isId = /^0x[0-9a-f]{64}$/.test(datasetId);
  const inList = rows.find(({ id }) => id === datasetId);
  const named = useAnswer(OfferedDatasetDocument, { dataset: datasetId }, isId && inList === undefined);
  // While another one is read, the one before is still there.
  const isNamed = isId && !named.isPlaceholderData;
  const dataset = inList ?? (isNamed ? named.data?.dataset : undefined);
  const problem = dataset === undefined ? undefined : unusable(dataset);
  const chosen = problem === undefined ? (dataset ?? undefined) : undefined;
  const readable = rows.filter(canBeRead);
  const failed = [...listed, ...(isId ? [named] : [])].find(({ error }) => error !== null);
  return {
    readable: chosen === undefined || readable.includes(chosen) ? readable : [...readable, chosen],
    chosen,
    problem,
    isListed: listed.every(({ isPending }) => !isPending),
    failure: failed && { error: failed.error, retry: () => void failed.refetch() },
    onOlder: hasOlder(pages, listed.at(-1)?.data?.datasets.length ?? 0)
      ? () => setPages(pages + 1)
      : undefined,
  };
}
