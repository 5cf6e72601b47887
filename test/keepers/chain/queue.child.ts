// A keeper in small: carries the intents "0" to "<count − 1>" out through an RPC URL and a state file, then ends.
import type { Address, Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { connectChain } from "../../../keepers/src/chain/client.ts";
import { createTransactionQueue } from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";

const [url, path, to, data, count] = process.argv.slice(2) as [string, string, Address, Hex, string];
const queue = createTransactionQueue({
  client: await connectChain({ chainId: 31337, urls: [url], requestsPerSecond: 10_000 }),
  state: openState({ path, schemas: [transactionSchema] }),
  account: privateKeyToAccount(process.env.QUEUE_KEY as Hex),
  pollInterval: 5,
});
for (let i = 0; i < Number(count); i++) await queue.send({ key: String(i), to, data, value: 0n });
