import { useMemo } from "react";
import { usePublicClient } from "wagmi";
import { type Contracts, connectContracts, type ReadClient } from "../../../keepers/src/chain/contracts.ts";
import { useNetwork } from "../network/context.ts";

/** Read handles of the network's contracts, and the client behind them. */
export function useContracts(): { readonly contracts: Contracts; readonly client: ReadClient } {
  const client = usePublicClient() as ReadClient;
  const { deployment } = useNetwork();
  return useMemo(() => ({ contracts: connectContracts(client, deployment), client }), [client, deployment]);
}
