import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { decodeFunctionData, type Hex } from "viem";
import { usePublicClient } from "wagmi";
import { disputeGameAbi } from "../../../../keepers/src/chain/abi/dispute-game.ts";
import type { RuledElement } from "../../../../keepers/src/training/dispute/ruled-element.ts";
import { didTimeOut } from "./ends.ts";
import { type HistoryEvent, parametersOf } from "./job-events.ts";

/** The transaction that convicted a provider, and what it did. */
export type Ruling = {
  readonly transaction: string | undefined;
  readonly isTimeout: boolean;
  /** The number that it computed; null where it computed none. */
  readonly read: UseQueryResult<RuledElement | null>;
};

/** Reads the move that ended a dispute with a conviction, and computes it again. */
export function useRuling(challenge: string, events: readonly HistoryEvent[]): Ruling {
  const client = usePublicClient();
  const convicted = events.find(
    (event) =>
      event.contract === "DisputeGame" &&
      event.name === "ProviderConvicted" &&
      parametersOf<{ challengeId: string }>(event).challengeId === challenge,
  );
  const isTimeout = didTimeOut(challenge, events);
  const read = useQuery({
    queryKey: ["ruling", convicted?.transaction],
    enabled: convicted !== undefined && !isTimeout && client !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => {
      const { input } = await client!.getTransaction({ hash: convicted!.transaction as Hex });
      return ruledBy(input);
    },
  });
  return { transaction: convicted?.transaction, isTimeout, read };
}

async function ruledBy(input: Hex): Promise<RuledElement | null> {
  const { functionName, args } = decodeFunctionData({ abi: disputeGameAbi, data: input });
  if (functionName !== "play") return null;
  const { ruledElement } = await import("../../../../keepers/src/training/dispute/ruled-element.ts");
  return ruledElement(args[2]) ?? null;
}
