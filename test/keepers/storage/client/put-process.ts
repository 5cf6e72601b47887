/**
 * A put in a process of its own that kills itself at a given point, as a power cut would. Arguments, as JSON: where the
 * network is, what to put, and when to die.
 */
import { join } from "node:path";
import { privateKeyToAccount } from "viem/accounts";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { readDeployment } from "../../../../keepers/src/chain/deployment.ts";
import { createTransactionQueue } from "../../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../../keepers/src/chain/transactions/store.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { createStorageClient } from "../../../../keepers/src/storage/client/client.ts";
import { put } from "../../../../keepers/src/storage/client/put.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { objectsOf, sourceOf } from "./sources.ts";

export type PutProcess = {
  rpcUrl: string;
  deploymentFile: string;
  privateKey: `0x${string}`;
  folder: string;
  seed: number;
  k: number;
  n: number;
  /** `<stage> <done>` of the progress at which to die, or `sent <n>` after the nth transaction was sent; "" never. */
  dieAt: string;
};

const given = JSON.parse(process.argv[2]!) as PutProcess;
const dieAt = (point: string): void => {
  if (point === given.dieAt) process.kill(process.pid, "SIGKILL");
};

const deployment = readDeployment({ chainId: 31337, file: given.deploymentFile });
const chain = await connectChain({ chainId: 31337, urls: [given.rpcUrl], requestsPerSecond: 1e6 });
const account = privateKeyToAccount(given.privateKey);
const state = openState({ path: join(given.folder, "transactions.sqlite"), schemas: [transactionSchema] });
let sent = 0;
const observer = { sent: () => dieAt(`sent ${++sent}`) };
const queue = createTransactionQueue({ client: chain, state, account, pollInterval: 20, observer });
const host = await createHost({ localNetwork: true });
const client = { ...createStorageClient({ chain, deployment, host }), account, queue };
const result = await put(client, {
  source: sourceOf(objectsOf(given.seed, 40, 700)),
  identity: `process ${given.seed}`,
  directory: join(given.folder, "uploads"),
  commit: async (bytes) => commitBundle(bytes),
  k: given.k,
  n: given.n,
  segmentObjects: 25,
  feePerAudit: 10n ** 15n,
  epochs: 10,
  onProgress: ({ stage, done }) => dieAt(`${stage} ${done}`),
});
const { datasetId, complete } = result;
process.stdout.write(JSON.stringify({ datasetId, complete }), () => process.exit(0));
