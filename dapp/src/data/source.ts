import { useQuery } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { usePublicClient } from "wagmi";
import { useNetwork } from "../network/context.ts";
import { askText } from "./ask.ts";

/**
 * Where figures come from. index: the subgraph. chain: the chain itself, because there is no subgraph, it does not answer, or
 * it is behind.
 */
export type Source =
  | { readonly kind: "index"; readonly url: string; readonly block: number }
  | { readonly kind: "chain"; readonly why: string }
  | { readonly kind: "unknown" };

/** Blocks that the subgraph may be behind the chain before it is passed over. */
export const mostBehind = 30;

const statusQuery = "{ _meta { block { number } hasIndexingErrors } }";
type Status = { _meta: { block: { number: number }; hasIndexingErrors: boolean } };

/** Finds out, again and again, whether the subgraph can be used. */
export function useFindSource(): Source {
  const { subgraph } = useNetwork();
  const client = usePublicClient();
  const status = useQuery({
    queryKey: ["subgraph status", subgraph],
    enabled: subgraph !== undefined,
    queryFn: async ({ signal }) => {
      // The chain first: an index that is asked later can only be further.
      const block = await client!.getBlockNumber({ cacheTime: 0 });
      return { head: Number(block), ...(await askText<Status>(subgraph!, statusQuery, {}, signal)) };
    },
    retry: 0,
    refetchInterval: 5_000,
  });
  if (subgraph === undefined) return { kind: "chain", why: "This network names no subgraph." };
  if (status.isError) return { kind: "chain", why: "The subgraph does not answer." };
  if (status.data === undefined) return { kind: "unknown" };
  const { _meta, head } = status.data;
  if (_meta.hasIndexingErrors) return { kind: "chain", why: "The subgraph has stopped at an error." };
  const behind = head - _meta.block.number;
  if (behind > mostBehind) {
    return { kind: "chain", why: `The subgraph is ${behind.toLocaleString("en")} blocks behind the chain.` };
  }
  return { kind: "index", url: subgraph, block: _meta.block.number };
}

export const SourceContext = createContext<Source>({ kind: "unknown" });

export function useSource(): Source {
  return useContext(SourceContext);
}
