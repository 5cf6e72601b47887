import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { keepPreviousData, type UseQueryResult, useQueries, useQuery } from "@tanstack/react-query";
import type { DocumentNode } from "graphql";
import { usePublicClient } from "wagmi";
import { useNetwork } from "../network/context.ts";
import { ask } from "./ask.ts";
import type { ChainReader } from "./chain-reader.ts";
import { useSource } from "./source.ts";

/** One reader for the whole page: what was read is read once. */
let reader: ChainReader | undefined;

/** Milliseconds between two looks at what may have changed. */
const pause = { index: 4_000, chain: 15_000 };

/** What decides how a query is answered. */
function useAnswering() {
  const source = useSource();
  const client = usePublicClient();
  const { deployment } = useNetwork();
  return <Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
  ) => ({
    queryKey: ["answer", source.kind, nameOf(document), variables],
    enabled: source.kind !== "unknown" && client !== undefined,
    refetchInterval: source.kind === "index" ? pause.index : pause.chain,
    queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Result> => {
      if (source.kind === "index") return ask(source.url, document, variables, signal);
      const [{ answerFrom }, { ChainReader }] = await Promise.all([
        import("./answer.ts"),
        import("./chain-reader.ts"),
      ]);
      reader ??= new ChainReader(client!, deployment);
      const { tables, meta } = await reader.read();
      return answerFrom(document, variables, tables, meta);
    },
  });
}

/**
 * The answer to a query, from the subgraph or, where that cannot be used, out of the chain.
 * @param isWanted whether it is asked at all
 */
export function useAnswer<Result, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Result, Variables>,
  variables: Variables,
  isWanted = true,
): UseQueryResult<Result> {
  const { enabled, ...options } = useAnswering()(document, variables);
  return useQuery<Result>({
    ...options,
    enabled: enabled && isWanted,
    placeholderData: keepPreviousData,
  });
}

/** The answers to one query with each of these variables: the pages of a list, say. The more there are the slower they follow. */
export function useAnswers<Result, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Result, Variables>,
  each: readonly Variables[],
): UseQueryResult<Result>[] {
  const answering = useAnswering();
  return useQueries({
    queries: each.map((variables) => {
      const { refetchInterval, ...options } = answering(document, variables);
      return { ...options, refetchInterval: refetchInterval * each.length };
    }),
  });
}

function nameOf({ definitions: [definition] }: DocumentNode): string {
  return definition?.kind === "OperationDefinition" ? (definition.name?.value ?? "") : "";
}
