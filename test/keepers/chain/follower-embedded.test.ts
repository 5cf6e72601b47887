import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Address, concat, encodeEventTopics, type Hex, pad, toHex } from "viem";
import { stakingAbi } from "../../../keepers/src/chain/abi/staking.ts";
import { createFollower, type Follower } from "../../../keepers/src/chain/follower/follower.ts";
import { followerSchema } from "../../../keepers/src/chain/follower/store.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { accounts, type EmbeddedChain, startEmbeddedChain } from "./embedded-chain.ts";
import { deploymentAt } from "./fixtures.ts";

let chain: EmbeddedChain;
let emitter: Address;
let state: State;
let journal: string[];

beforeEach(async () => {
  chain = await startEmbeddedChain({ automine: true });
  emitter = await chain.deploy("emitter");
  state = openState({ path: ":memory:", schemas: [followerSchema] });
  journal = [];
});
afterEach(async () => {
  state.close();
  await chain.close();
});

/** Has the emitter log `Staked(operator, from, amount)` in a block of its own. */
async function stake(amount: bigint): Promise<void> {
  const [topic] = encodeEventTopics({ abi: stakingAbi, eventName: "Staked" });
  const data = concat([topic as Hex, pad(accounts[0].address), pad(accounts[1].address), pad(toHex(amount))]);
  const wallet = chain.client.wallet(accounts[0]);
  const hash = await wallet.sendTransaction({ to: emitter, data });
  await chain.client.public.getTransactionReceipt({ hash });
}

async function follow(confirmations = 0): Promise<Follower> {
  return createFollower({
    client: chain.client,
    state,
    deployment: deploymentAt(emitter),
    contracts: ["Staking"],
    confirmations,
    history: 16,
    handler: {
      applied: (event) => {
        if (event.contract === "Staking" && event.eventName === "Staked")
          journal.push(`+${event.args.amount}`);
      },
      removed: (event) => {
        if (event.contract === "Staking" && event.eventName === "Staked")
          journal.push(`-${event.args.amount}`);
      },
    },
  });
}

describe("follower on the embedded chain", () => {
  it("reads what real blocks hold, blooms included", async () => {
    for (const amount of [1n, 2n, 3n]) await stake(amount);
    await chain.mine(40);
    await stake(4n);
    const follower = await follow();
    await follower.catchUp();
    assert.deepEqual(journal, ["+1", "+2", "+3", "+4"]);
    assert.equal(follower.position()!.number, await chain.client.public.getBlockNumber());
  });

  it("takes back what a reverted snapshot had held and applies what came instead", async () => {
    await stake(1n);
    const snapshot = await chain.rpc("evm_snapshot");
    await stake(2n);
    await stake(3n);
    const follower = await follow();
    await follower.catchUp();
    await chain.rpc("evm_revert", [snapshot]);
    assert.equal((await follower.step()).kind, "idle", "a shorter chain alone may be an endpoint that lags");
    await stake(9n);
    await stake(8n);
    await stake(7n);
    await follower.catchUp();
    assert.deepEqual(journal, ["+1", "+2", "+3", "-3", "-2", "+9", "+8", "+7"]);
  });

  it("waits for confirmations, and then has nothing to take back", async () => {
    await stake(1n);
    const follower = await follow(3);
    await chain.mine(3);
    const snapshot = await chain.rpc("evm_snapshot");
    await stake(2n);
    await follower.catchUp();
    assert.deepEqual(journal, ["+1"]);
    await chain.rpc("evm_revert", [snapshot]);
    await stake(5n);
    await chain.mine(3);
    await follower.catchUp();
    assert.deepEqual(journal, ["+1", "+5"]);
  });
});
