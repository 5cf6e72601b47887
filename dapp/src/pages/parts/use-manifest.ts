import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { Hex } from "viem";
import { useContracts } from "../../data/use-contracts.ts";
import { useNetwork } from "../../network/context.ts";
import { type OrderedDataset, readDataset } from "../../order/read-dataset.ts";

/** The manifest of a dataset, from the gateway, held against the hash that is anchored; it never changes. */
export function useManifest(id: Hex, digest: Hex): UseQueryResult<OrderedDataset> {
  const { gateway } = useNetwork();
  const { contracts } = useContracts();
  return useQuery({
    queryKey: ["manifest", id],
    enabled: gateway !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => readDataset(contracts, gateway!, { id, digest }, signal),
  });
}
