/** Indexes a chain of made-up events into a file until it is killed: `index-chain.ts <database> <blocks>`. */
import { EventChain } from "./event-chain.ts";
import { openIndexer } from "./staking-node.ts";

const [path, blocks] = process.argv.slice(2);
const chain = new EventChain({ blocks: Number(blocks), eventsPerBlock: 4, operators: 101 });
const { indexer } = await openIndexer(chain, {
  path: path!,
  observer: { indexed: (_, { number }) => process.stdout.write(`${number}\n`) },
});
await indexer.catchUp();
