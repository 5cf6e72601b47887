import { useQuery } from "@tanstack/react-query";
import { createContext, useContext, useRef } from "react";
import { usePublicClient } from "wagmi";
import { useNetwork } from "../network/context.ts";
import { askText } from "./ask.ts";
import { type Source, sourceOf } from "./index-state.ts";

const statusQuery = "{ _meta { block { number } hasIndexingErrors } }";
type Status = { _meta: { block: { number: number }; hasIndexingErrors: boolean } };

/** Milliseconds that the chain is waited for: its client asks a dead endpoint several times, for longer than a page can wait. */
const patience = 5_000;

const unknown: Source = { kind: "unknown" };
const unnamed: Source = { kind: "chain", why: "This network names no subgraph." };

/** Finds out, again and again, whether the subgraph can be used. */
export function useFindSource(): Source {
  const { subgraph } = useNetwork();
  const client = usePublicClient();
  const before = useRef<Source>(unknown);
  const source = useQuery({
    queryKey: ["source", subgraph],
    enabled: subgraph !== undefined,
    queryFn: async ({ signal }) => {
      const [head, status] = await Promise.all([
        answerOf(Promise.race([client!.getBlockNumber({ cacheTime: 0 }), silence()])),
        answerOf(askText<Status>(subgraph!, statusQuery, {}, signal)),
      ]);
      signal.throwIfAborted();
      const index = status && { block: status._meta.block.number, hasErrors: status._meta.hasIndexingErrors };
      before.current = sourceOf(
        subgraph!,
        { head: head === undefined ? undefined : Number(head), index },
        before.current,
      );
      return before.current;
    },
    refetchInterval: 5_000,
  });
  if (subgraph === undefined) return unnamed;
  return source.data ?? unknown;
}

/** What is answered; undefined for whom does not. */
function answerOf<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch(() => undefined);
}

function silence(): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), patience));
}

export const SourceContext = createContext<Source>(unknown);

export function useSource(): Source {
  return useContext(SourceContext);
}
