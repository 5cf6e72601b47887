import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { peerIdFromString } from "@libp2p/peer-id";
import { bytesToHex, type Hex, zeroHash } from "viem";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { addressOf, connectContracts } from "../../../../keepers/src/chain/contracts.ts";
import { intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { encodeOrder } from "../../../../keepers/src/core/exact/order.ts";
import { intervalProtocol } from "../../../../keepers/src/roles/jobs/interval-protocol.ts";
import {
  IntervalDesk,
  type IntervalDeskParts,
} from "../../../../keepers/src/roles/provider/interval-desk.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";
import { ManualClock } from "../../chain/fixtures.ts";
import { deployment } from "../dataset.ts";
import { account, LogDouble } from "../doubles.ts";
import { TableEndpoint } from "../endpoints.ts";

const operator = account(0xa0d);
const training = encodeOrder({
  ...{ bits: 8, programRoot: zeroHash, initialRoot: zeroHash, objectRoot: zeroHash, seed: zeroHash },
  ...{ objects: 64, objectBytes: 65, train: 64, microBatch: 8, microBatches: 1, steps: 400, interval: 4 },
  schedule: { table: [1], every: 1 },
});
const job = {
  ...{ jobId: 1n, provider: operator, status: "Committed", training, result: { traceRoot: zeroHash } },
  order: { conditions: { committeeSize: 2 } },
};
const draw = {
  ...{ chainId: BigInt(deployment.chainId), contract: addressOf(deployment, "Committee"), jobId: 1n },
  ...{ attempt: 1n, seed: zeroHash, traceRoot: zeroHash, intervals: 100, checks: 2, members: [1n, 2n] },
};
/** Intervals of one member that the other was not given. */
const ownOf = (position: number) => {
  const others = intervalsOf(draw, 1 - position);
  return intervalsOf(draw, position).filter((interval) => !others.includes(interval));
};

describe("members of a draw, at the desk of its provider", () => {
  let hosts: Host[];
  let clients: RpcClient<typeof intervalProtocol.methods>[];
  let endpoint: TableEndpoint;
  let desk: IntervalDesk;
  /** What the members have registered, by their accounts. */
  let registered: Map<string, Hex>;
  let isUnread: boolean;

  const peerIdOf = (host: Host) => bytesToHex(peerIdFromString(host.peerId.toString()).toMultihash().bytes);

  beforeEach(async () => {
    const server = await createHost({ localNetwork: true, listen: ["/ip4/127.0.0.1/tcp/0"] });
    hosts = [server];
    clients = [];
    for (let i = 0; i < 2; i++) hosts.push(await createHost({ localNetwork: true, listen: [] }));
    [registered, isUnread] = [new Map(), false];
    register(1, peerIdOf(hosts[1]!));
    register(2, "0x1234");
    endpoint = new TableEndpoint("chain", {
      Committee: {
        jobOf: () => ({
          ...{ provider: operator, intervals: 100, size: 2, feePerInterval: 1n, threshold: 1, terms: 0 },
          ...{ attempt: 1, phase: 2, deadline: 9, graceEnds: 0, opened: 0 },
        }),
        drawOf: () => ({
          ...{ requestId: 1n, rotation: 0, drawUntil: 0, signedAt: 0, count: 0, isDismissed: false },
          ...{ signers: 0n, appeared: 0n, silent: 0n, liars: 0n, revealedAt: 0, accusations: 0 },
          ...{ root: zeroHash, openings: zeroHash },
        }),
        checks: () => 2n,
        membersOf: () => draw.members,
      },
      RandomnessBeacon: { seedOf: () => [zeroHash, 1n] },
      ValidatorSet: {
        validatorOf: ([id]: [bigint]) => ({
          operator: account(Number(id)),
          ...{ duties: 0, place: 0, weight: 1, exitAt: 0 },
        }),
      },
      Staking: {
        identityOf: ([who]: [string]) => {
          if (isUnread) throw new Error("too many wait for an endpoint");
          return [registered.get(who.toLowerCase())!, ""];
        },
      },
    });
    const chain = await connectChain({
      ...{ chainId: deployment.chainId, endpoints: [endpoint] },
      ...{ clock: new ManualClock(), requestsPerSecond: 1_000 },
    });
    desk = new IntervalDesk({
      ...{ operator, client: chain, host: server, log: new LogDouble().logger },
      contracts: connectContracts(chain.public, deployment),
      // No chain that leaps in time: what was read holds for a while.
      deployment: { ...deployment, chainId: 1 },
      ...{ ledger: { job: () => job, openJobs: () => [job] }, fetchTime: 60 },
    } as unknown as IntervalDeskParts);
    await desk.tick();
    const address = server.getMultiaddrs()[0]!.toString();
    for (const host of hosts.slice(1))
      clients.push(await RpcClient.connect(host, intervalProtocol, address, { attempts: 1 }));
  });

  afterEach(async () => {
    for (const client of clients) await client.close();
    await desk.close();
    for (const host of hosts) await host.stop();
  });

  function register(member: number, peerId: Hex): void {
    registered.set(account(member).toLowerCase(), peerId);
  }

  /** What becomes of a question: one that is let in comes to a run that is not there. */
  async function ask(client: number, interval: number): Promise<"let in" | "not its own" | "too often"> {
    const asked = clients[client]!.ask("state", { jobId: "1", interval });
    const { message } = await asked.then(
      () => assert.fail("there is no run"),
      (error: Error) => error,
    );
    if (/not drawn/.test(message)) return "not its own";
    return /often enough/.test(message) ? "too often" : "let in";
  }

  it("attack: are let in to their intervals although another has registered their peer id", async () => {
    register(2, peerIdOf(hosts[1]!));
    const [own, other] = [ownOf(0), ownOf(1)];
    assert.ok(own.length > 0 && other.length > 0);
    for (const interval of own) assert.equal(await ask(0, interval), "let in");
    for (const interval of own) assert.equal(await ask(1, interval), "not its own");
  });

  it("are let in under the peer id that they have moved to, and given no more for it", async (test) => {
    let now = performance.now();
    test.mock.method(performance, "now", () => now);
    const [interval] = ownOf(0);
    assert.equal(await ask(0, interval!), "let in");
    register(1, peerIdOf(hosts[2]!));
    assert.equal(await ask(1, interval!), "not its own");
    now += 61_000;
    assert.equal(await ask(1, interval!), "let in");
    assert.equal(await ask(0, interval!), "not its own");
    assert.equal(await ask(1, interval!), "too often");
  });

  it("are let in although it cannot be read again who they are", async (test) => {
    let now = performance.now();
    test.mock.method(performance, "now", () => now);
    const [interval] = ownOf(0);
    assert.equal(await ask(0, interval!), "let in");
    isUnread = true;
    now += 61_000;
    assert.equal(await ask(0, interval!), "let in");
    assert.equal(await ask(1, interval!), "not its own");
  });
});
