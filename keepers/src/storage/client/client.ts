import type { Libp2p } from "@libp2p/interface";
import type { LocalAccount } from "viem";
import type { ChainClient } from "../../chain/client.ts";
import { type Contracts, connectContracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import type { TransactionQueue } from "../../chain/transactions/queue.ts";
import type { BlobStore } from "../backends/backend.ts";
import { OperatorPeers } from "./peers.ts";

/** What every action of the client needs: the chain, and a way to reach operators. */
export type StorageClient = {
  chain: ChainClient;
  deployment: Deployment;
  contracts: Contracts;
  /** The same as the endpoints agree on it; left out where there is one endpoint. */
  confirmed?: Contracts;
  peers: OperatorPeers;
  /** A store that may know manifests by their CID, when operators give none. */
  ipfs?: BlobStore;
};

/** What of a client looks at the chain alone. */
export type ChainView = Pick<StorageClient, "contracts" | "confirmed" | "deployment"> & {
  readonly chain: Pick<ChainClient, "public">;
};

/** A client that also acts for an account. Its queue never sends an intent twice, not even after a crash. */
export type StorageWriter = StorageClient & { account: LocalAccount; queue: Pick<TransactionQueue, "send"> };

export type StorageClientParameters = {
  chain: ChainClient;
  deployment: Deployment;
  /** libp2p node to dial operators from; it need not listen. */
  host: Libp2p;
  ipfs?: BlobStore;
};

export function createStorageClient({
  chain,
  deployment,
  host,
  ipfs,
}: StorageClientParameters): StorageClient {
  const contracts = connectContracts(chain.public, deployment);
  const isAlone = chain.confirmed === chain.public;
  return {
    ...{ chain, deployment, contracts, peers: new OperatorPeers(contracts, host), ipfs },
    ...(!isAlone && { confirmed: connectContracts(chain.confirmed, deployment) }),
  };
}
