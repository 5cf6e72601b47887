import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pino } from "pino";
import { connectContracts } from "../../../keepers/src/chain/contracts.ts";
import { createTransactionQueue } from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { EmbeddedNetwork } from "../../../keepers/src/roles/embedded/network.ts";
import { Ledger, ledgerSchema } from "../../../keepers/src/roles/storage-node/ledger.ts";
import { Watcher } from "../../../keepers/src/roles/storage-node/watcher.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";

/** A network in which nobody takes part in the beacon: no seed comes by itself. */
describe("who keeps the audits going", () => {
  let folder: string;
  let network: EmbeddedNetwork;
  let state: State;
  let contracts: ReturnType<typeof connectContracts>;
  let watcher: Watcher;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-watcher-"));
    network = await EmbeddedNetwork.start({ folder, nodes: 0 });
    const { client, deployment } = network;
    contracts = connectContracts(client.public, deployment);
    state = openState({ path: ":memory:", schemas: [transactionSchema, ledgerSchema] });
    const account = network.chain.account(1);
    const queue = createTransactionQueue({ client, state, account, pollInterval: 50 });
    const log = pino({ level: "silent" });
    const agreed = { client, contracts };
    const context = { operator: account.address, client, deployment, contracts, agreed, queue, log };
    watcher = new Watcher({ ...context, ledger: new Ledger(state), stagger: 0n });
  });

  after(async () => {
    state?.close();
    await network?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("has the seed of an epoch redrawn when it does not come, as long as it would be of use", async () => {
    const { StorageAudit, CommitRevealBeacon } = contracts;
    await watcher.tick();
    const epoch = await StorageAudit.read.currentEpoch();
    const { openedAt, requestId, windows } = await StorageAudit.read.epochOf([epoch]);
    assert.notEqual(openedAt, 0n);
    const session = await CommitRevealBeacon.read.sessionOf([requestId]);
    const read = () => CommitRevealBeacon.read.session([session]);
    const advanceTo = async (time: bigint) => {
      await network.chain.advance(Math.max(1, Number(time) - (await network.chain.now())));
    };
    await watcher.tick();
    assert.equal((await read()).round, 0, "it may still come");
    for (const round of [1, 2]) {
      await advanceTo((await read()).commitEnds);
      await watcher.tick();
      assert.equal((await read()).round, round);
    }
    await advanceTo(openedAt + BigInt(windows.seedDelay) + 1n);
    await watcher.tick();
    assert.equal((await read()).round, 2, "nobody is audited by a seed that comes later than that");
  });
});
