import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { peerIdFromString } from "@libp2p/peer-id";
import { bytesToHex, type Hex, zeroHash } from "viem";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { connectContracts } from "../../../../keepers/src/chain/contracts.ts";
import { encodeOrder } from "../../../../keepers/src/core/exact/order.ts";
import { intervalProtocol } from "../../../../keepers/src/roles/jobs/interval-protocol.ts";
import {
  IntervalDesk,
  type IntervalDeskParts,
} from "../../../../keepers/src/roles/provider/interval-desk.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { shareOfStrangers, shareOfThread } from "../../../../keepers/src/storage/transport/peer-limits.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";
import { ManualClock } from "../../chain/fixtures.ts";
import { deployment } from "../dataset.ts";
import { account, LogDouble } from "../doubles.ts";
import { TableEndpoint } from "../endpoints.ts";

const operator = account(0xa0d);
const training = encodeOrder({
  ...{ bits: 8, programRoot: zeroHash, initialRoot: zeroHash, objectRoot: zeroHash, seed: zeroHash },
  ...{ objects: 64, objectBytes: 65, train: 64, microBatch: 8, microBatches: 1, steps: 12, interval: 4 },
  schedule: { table: [1], every: 1 },
});
const job = {
  ...{ jobId: 1n, provider: operator, status: "Committed", training, result: { traceRoot: zeroHash } },
  order: { conditions: { committeeSize: 1 } },
};

/** What the chain says while a committee of one, whose member has this peer id, is to sign job 1. */
const signing = (peerId: Hex) => ({
  Committee: {
    jobOf: () => ({
      ...{
        provider: operator,
        intervals: 3,
        size: 1,
        feePerInterval: 1n,
        threshold: 1,
        terms: 0,
        attempt: 1,
      },
      ...{ phase: 2, deadline: 9, graceEnds: 0, opened: 0 },
    }),
    drawOf: () => ({
      ...{ requestId: 1n, rotation: 0, drawUntil: 0, signedAt: 0, count: 0, isDismissed: false, signers: 0n },
      ...{ appeared: 0n, silent: 0n, liars: 0n, revealedAt: 0, accusations: 0, root: zeroHash },
      openings: zeroHash,
    }),
    checks: () => 2n,
    membersOf: () => [1n],
  },
  RandomnessBeacon: { seedOf: () => [zeroHash, 1n] },
  ValidatorSet: { validatorOf: () => ({ operator: account(1), duties: 0, place: 0, weight: 1, exitAt: 0 }) },
  Staking: { identityOf: () => [peerId, ""] },
});

describe("what a provider shows to committees", () => {
  let hosts: Host[];
  let client: RpcClient<typeof intervalProtocol.methods>;
  let member: RpcClient<typeof intervalProtocol.methods>;
  let endpoint: TableEndpoint;
  let desk: IntervalDesk;

  before(async () => {
    const listen = ["/ip4/127.0.0.1/tcp/0"];
    const [server, asking, drawn] = [
      await createHost({ localNetwork: true, listen }),
      await createHost({ localNetwork: true, listen: [] }),
      await createHost({ localNetwork: true, listen: [] }),
    ];
    hosts = [server, asking, drawn];
    const other = peerIdFromString(drawn.peerId.toString()).toMultihash().bytes;
    endpoint = new TableEndpoint("chain", signing(bytesToHex(other)));
    const { chainId } = deployment;
    const clock = new ManualClock();
    const chain = await connectChain({ chainId, endpoints: [endpoint], clock, requestsPerSecond: 10 });
    desk = new IntervalDesk({
      ...{ operator, client: chain, host: server, log: new LogDouble().logger },
      contracts: connectContracts(chain.public, deployment),
      // No chain that leaps in time: what was read holds for a while.
      deployment: { ...deployment, chainId: 1 },
      ledger: { job: () => job, openJobs: () => [job] },
    } as unknown as IntervalDeskParts);
    await desk.tick();
    const address = server.getMultiaddrs()[0]!.toString();
    client = await RpcClient.connect(asking, intervalProtocol, address, { attempts: 1 });
    member = await RpcClient.connect(drawn, intervalProtocol, address, { attempts: 1 });
  });

  after(async () => {
    await client?.close();
    await member?.close();
    await desk?.close();
    for (const host of hosts ?? []) await host.stop();
  });

  const ask = () => client.ask("state", { jobId: "1", interval: 0 });
  const reads = () => endpoint.asked.filter((what) => what === "Committee.jobOf").length;
  const isUnknown = (error: unknown) => error instanceof RefusalError && error.code === "not-found";
  const isBusy = (error: unknown) => error instanceof RefusalError && error.code === "busy";
  const isRefused = (error: unknown) => error instanceof RefusalError && error.code === "refused";

  it("attack: costs a read of the committee for all that strangers ask in a few seconds, not for each", async () => {
    for (let i = 0; i < 20; i++) await assert.rejects(ask(), isRefused);
    assert.equal(reads(), 1);
  });

  it("attack: costs no more while no committee is to sign", async (test) => {
    const { Committee } = endpoint.reads;
    endpoint.reads = {
      ...endpoint.reads,
      Committee: { ...Committee, jobOf: () => ({ ...(Committee!.jobOf!([] as never) as object), phase: 1 }) },
    };
    // What was read while one was is over.
    const later = performance.now() + 10_000;
    test.mock.method(performance, "now", () => later);
    const before = reads();
    for (let i = 0; i < 20; i++) await assert.rejects(ask(), isUnknown);
    assert.equal(reads() - before, 1);
  });

  it("attack: hears no more of strangers than leaves the thread to duties, and members before them", async (test) => {
    // Long after what the other tests asked for; nothing comes back while the clock stands still.
    const later = performance.now() + 100_000;
    test.mock.method(performance, "now", () => later);
    const codes: string[] = [];
    for (let i = 0; i < 150; i++) codes.push(await ask().then(String, ({ code }: RefusalError) => code));
    const heard = (shareOfThread.burst * shareOfStrangers) / intervalProtocol.methods.state.cost;
    assert.equal(codes.filter((code) => code === "busy").length, codes.length - heard);
    assert.equal(codes.at(-1), "busy");
    // An interval that was not drawn for it: it is heard, and refused.
    await assert.rejects(member.ask("state", { jobId: "1", interval: 5 }), (error) => !isBusy(error));
  });
});
