import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, beforeEach, describe, it } from "node:test";
import { network } from "hardhat";
import type { Hex } from "viem";
import type { Intent, TransactionQueue } from "../../../keepers/src/chain/transactions/queue.ts";
import { DrandRelay } from "../../../keepers/src/roles/storage-node/drand-relay.ts";
import { publicKeyOf, signRound } from "../../contracts/beacon/drand.ts";
import { deployment } from "./dataset.ts";
import { account, contextOf } from "./doubles.ts";

const secret = 0x1234567890abcdefn;
const [period, margin, hour] = [3n, 600n, 3_600n];
const [redrawAfter, closeDelay] = [24n * hour, 240n * hour];

/** The real beacon under a test key, and a server that has every round whose time has come. */
describe("the drand relay, with requests of strangers", async () => {
  const { viem, networkHelpers } = await network.create();
  const [owner] = await viem.getWalletClients();
  const access = await viem.deployContract("AccessManager", [owner!.account.address]);
  const now = async () => BigInt(await networkHelpers.time.latest());
  const server = createServer((request, response) => {
    const round = BigInt((request.url ?? "").split("/").at(-1)!);
    if (isDown) response.writeHead(503).end();
    else response.end(JSON.stringify({ round: Number(round), signature: signRound(secret, round).slice(2) }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  let isDown = false;
  let beacon: Awaited<ReturnType<typeof deploy>>;
  let start: () => { readonly relay: DrandRelay; readonly sent: Hex[] };

  async function deploy() {
    const configuration = { publicKey: publicKeyOf(secret), genesis: (await now()) - 1_000n, period, margin };
    return viem.deployContract("DrandBeacon", [access.address, { ...configuration, redrawAfter }]);
  }

  beforeEach(async () => {
    isDown = false;
    beacon = await deploy();
    start = () => {
      const { context } = contextOf(account(1), {
        DrandBeacon: {
          requestCount: () => beacon.read.requestCount(),
          requestOf: (args: [bigint]) => beacon.read.requestOf(args),
          timeOf: (args: [bigint]) => beacon.read.timeOf(args),
        },
        DatasetRegistry: { closeDelay: () => closeDelay },
        ValidatorSet: { exitDelay: () => 72 * Number(hour) },
      });
      const sent: Hex[] = [];
      const queue = {
        send: async ({ to, data }: Intent) => sent.push(await owner!.sendTransaction({ to: to!, data })),
      } as unknown as TransactionQueue;
      const addresses = { ...deployment.addresses, DrandBeacon: beacon.address };
      const withDrand = { ...deployment, beacon: "DrandBeacon" as const, addresses };
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      return { relay: new DrandRelay({ ...context, queue, deployment: withDrand, relays: [url] }), sent };
    };
  });

  const tick = async ({ relay }: ReturnType<typeof start>) => relay.tick(await now());
  const request = async (count: number) => {
    for (let i = 0; i < count; i++) await beacon.write.request();
  };
  const isReady = async (id: bigint) => (await beacon.read.seedOf([id]))[1] !== 0n;
  const areReady = async (count: number) =>
    (await Promise.all(Array.from({ length: count }, (_, i) => isReady(BigInt(i + 1))))).every(Boolean);

  it("attack: carries the round of an epoch's request, however many requests come before it is due", async () => {
    const node = start();
    await request(1);
    await tick(node);
    for (let i = 0; i < 5; i++) {
      await networkHelpers.time.increase(60);
      await request(8);
      await tick(node);
    }
    assert.equal(await isReady(1n), false);
    await networkHelpers.time.increase(margin + 4n * period);
    await tick(node);
    assert.ok(await areReady(41));
    const submitted = node.sent.length;
    await networkHelpers.time.increase(hour);
    await tick(node);
    assert.equal(node.sent.length, submitted, "what has its seed is left alone");
  });

  it("finds all requests that wait when it is started anew, and those that were redrawn", async () => {
    isDown = true;
    await request(1);
    await networkHelpers.time.increase(hour);
    await request(70);
    await networkHelpers.time.increase(redrawAfter - hour / 2n);
    await tick(start());
    assert.equal(await isReady(1n), false);
    const node = start();
    await tick(node);
    await beacon.write.redraw([1n]);
    isDown = false;
    await tick(node);
    assert.equal(await isReady(1n), false, "the round of the redrawn one is not due yet");
    await networkHelpers.time.increase(margin + period);
    await tick(node);
    assert.ok(await areReady(71));
  });

  it("looks for nothing whose seed would be of no use any more", async () => {
    await request(2);
    await networkHelpers.time.increase(closeDelay + hour);
    await request(1);
    await networkHelpers.time.increase(margin + period);
    const node = start();
    await tick(node);
    assert.deepEqual([node.sent.length, await isReady(1n), await isReady(3n)], [1, false, true]);
  });
});
