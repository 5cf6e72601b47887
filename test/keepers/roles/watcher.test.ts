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
import { account, contextOf, word } from "./doubles.ts";

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

/** An epoch whose window is over, one bundle of it that nobody has answered for, and an epoch that is to be opened. */
describe("who keeps the audits going in a large network", { timeout: 30_000 }, () => {
  function scene(changes: { dutyOf?: () => Promise<string>; checkUpkeep?: () => [boolean, string] }) {
    let current = 0;
    const windows = { seedDelay: 100, timeoutWindow: 5_000, grace: 10 };
    const holding = { bundleId: word(1), operator: account(2), since: 0 };
    const own = contextOf(account(1), {
      StorageAudit: {
        currentEpoch: () => current,
        epochOf: ([epoch]: [number]) => ({ openedAt: epoch === 0 ? 1n : 0n, requestId: 1n, windows }),
        windowOf: ([epoch]: [number]) => (epoch === 0 ? [word(9), 2n, 900n] : [word(0), 0n, 0n]),
        checkUpkeep: changes.checkUpkeep ?? (() => [true, "0x"]),
        isAnswered: () => false,
        graceEndsAt: () => 0n,
      },
      BundleRegistry: { dutyOf: changes.dutyOf ?? (() => holding.bundleId) },
      DatasetRegistry: { genesis: () => 0n, epochLength: () => 500n, closeDelay: () => 9_000n },
      RandomnessBeacon: { seedOf: () => [word(9), 2n] },
    });
    const ledger = { holdings: () => [holding], holders: () => [] } as unknown as Ledger;
    const watcher = new Watcher({ ...own.context, ledger, stagger: 0n, lookEvery: 20 });
    const sent = () => own.queue.sent.map(({ key }) => key);
    const begin = (epoch: number) => {
      current = epoch;
    };
    return { watcher, sent, log: own.log, begin };
  }

  it("opens an epoch that begins while it looks at who has not answered, however long that takes", async () => {
    const looks = Promise.withResolvers<string>();
    const { watcher, sent, begin } = scene({ dutyOf: () => looks.promise });
    const ticking = watcher.tick();
    begin(1);
    const end = Date.now() + 10_000;
    while (!sent().includes("open:1") && Date.now() < end) await new Promise((done) => setTimeout(done, 10));
    assert.deepEqual([...new Set(sent())], ["open:1"]);
    looks.resolve(word(1));
    await ticking;
    assert.equal(sent().at(-1), `timeout:0:${word(1)}`);
  });

  it("calls time-outs although an epoch cannot be opened, and says so", async () => {
    const { watcher, sent, begin } = scene({
      checkUpkeep: () => {
        throw new Error("no endpoint answers");
      },
    });
    begin(1);
    await assert.rejects(watcher.tick(), /no endpoint answers/);
    assert.deepEqual(sent(), [`timeout:0:${word(1)}`]);
  });

  it("goes on with the time-outs when an epoch could not be opened meanwhile, and tells the log", async () => {
    const looks = Promise.withResolvers<string>();
    const { watcher, sent, begin, log } = scene({
      dutyOf: () => looks.promise,
      checkUpkeep: () => {
        throw new Error("no endpoint answers");
      },
    });
    const ticking = watcher.tick();
    begin(1);
    const end = Date.now() + 10_000;
    while (log.lines.length === 0 && Date.now() < end) await new Promise((done) => setTimeout(done, 10));
    assert.match(log.lines[0]!.msg, /^epochs were not looked after/);
    looks.resolve(word(1));
    await assert.rejects(ticking, /no endpoint answers/);
    assert.deepEqual(sent(), [`timeout:0:${word(1)}`]);
  });
});
