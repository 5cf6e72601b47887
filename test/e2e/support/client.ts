import { join } from "node:path";
import { createTransactionQueue } from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import type { EmbeddedNetwork } from "../../../keepers/src/roles/embedded/network.ts";
import { createStorageClient, type StorageWriter } from "../../../keepers/src/storage/client/client.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { createHost } from "../../../keepers/src/storage/transport/host.ts";

export type OwnerClient = StorageWriter & { close(): Promise<void> };

/** A client of the network's owner, as the command line makes one. */
export async function openOwner(network: EmbeddedNetwork, folder: string): Promise<OwnerClient> {
  const state = openState({ path: join(folder, "owner.sqlite"), schemas: [transactionSchema] });
  const host = await createHost({ localNetwork: true });
  const account = network.owner;
  const client = createStorageClient({ chain: network.client, deployment: network.deployment, host });
  const queue = createTransactionQueue({ client: network.client, state, account, pollInterval: 100 });
  return {
    ...client,
    account,
    queue,
    async close() {
      await client.peers.close();
      await host.stop();
      state.close();
    },
  };
}
