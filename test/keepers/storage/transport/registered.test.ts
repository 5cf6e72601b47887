/** What a swarm of strangers leaves to those that have something at stake. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { bytesToHex, type Hex } from "viem";
import { RegisteredPeers } from "../../../../keepers/src/roles/storage-node/registered-peers.ts";
import { ByteBudget } from "../../../../keepers/src/storage/transport/byte-budget.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { Gate } from "../../../../keepers/src/storage/transport/gate.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { PeerLimits } from "../../../../keepers/src/storage/transport/peer-limits.ts";
import { ShardClient } from "../../../../keepers/src/storage/transport/shard-client.ts";
import { shardProtocol } from "../../../../keepers/src/storage/transport/shard-protocol.ts";
import { ShardServer } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { account, contractsOf } from "../../roles/doubles.ts";
import { datasetId, serviceOver } from "./service.ts";

const isRegistered = (peer: string) => peer.startsWith("keeper");

describe("a swarm of strangers", () => {
  it("attack: has half of what all peers together may ask for, and registered ones the rest", () => {
    let now = 0;
    const inAll = { burst: 1_000, perSecond: 1_000 };
    const limits = new PeerLimits({ inAll, isRegistered, now: () => now });
    const ask = (peer: string) => {
      const verdict = limits.begin(peer, 10);
      if (verdict === "ok") limits.end(peer);
      return verdict;
    };
    for (let second = 0; second < 10; second++) {
      let answered = 0;
      for (let i = 0; i < 200; i++) if (ask(`stranger ${second} ${i}`) === "ok") answered++;
      assert.equal(answered, 50);
      answered = 0;
      for (let i = 0; i < 200; i++) if (ask("keeper") === "ok") answered++;
      assert.equal(answered, 50, "and no more than is there in all");
      now += 1_000;
    }
    for (let i = 0; i < 100; i++) assert.equal(ask("keeper"), "ok", "all of it where no stranger asks");
  });

  it("attack: takes nothing of what is left to registered ones by what its requests cost besides, and is heard again", () => {
    let now = 0;
    const inAll = { burst: 1_000, perSecond: 1_000 };
    const limits = new PeerLimits({ burst: 1_000, inAll, isRegistered, now: () => now });
    for (let i = 0; i < 10; i++) limits.charge(`stranger ${i}`, 1_000);
    assert.equal(limits.begin("keeper", 500), "ok");
    assert.equal(limits.begin("stranger", 1), "busy");
    now += 2_000;
    assert.equal(
      limits.begin("another stranger", 400),
      "ok",
      "a debt is no larger than what may be asked for at once",
    );
    limits.charge("keeper", 5_000);
    now += 2_000;
    assert.equal(limits.begin("keeper 2", 900), "ok");
  });

  it("attack: fills half of a queue, and a registered peer's work is done before theirs", async () => {
    const gate = new Gate({ atOnce: 1, waiting: 8, perPeer: 1, isRegistered });
    let leave = (): void => {};
    const first = gate.run("stranger", undefined, () => new Promise<void>((resolve) => (leave = resolve)));
    const done: string[] = [];
    const work = (peer: string) => gate.run(peer, undefined, async () => void done.push(peer));
    const waiting = ["a", "b", "c", "d"].map(work);
    await assert.rejects(work("e"), RefusalError);
    waiting.push(work("keeper 1"), work("keeper 2"));
    assert.equal(gate.waiting, 6);
    leave();
    await Promise.all([first, ...waiting]);
    assert.deepEqual(done, ["keeper 1", "keeper 2", "a", "b", "c", "d"]);
  });

  it("attack: leaves a queue whose signal ends, whoever waits", async () => {
    const gate = new Gate({ atOnce: 1, waiting: 8, perPeer: 2, isRegistered });
    let leave = (): void => {};
    const first = gate.run("stranger", undefined, () => new Promise<void>((resolve) => (leave = resolve)));
    const gone = new AbortController();
    const never = [gate.run("a", gone.signal, assert.fail), gate.run("keeper", gone.signal, assert.fail)];
    const after = gate.run("b", undefined, async () => "b");
    gone.abort(new Error("gone"));
    for (const each of never) await assert.rejects(each, /gone/);
    assert.equal(gate.waiting, 1);
    leave();
    await first;
    assert.equal(await after, "b");
  });

  it("attack: fills half of the memory that peers may, whatever becomes of a peer meanwhile", () => {
    const registered = new Set<string>();
    const budget = new ByteBudget({ total: 100, perPeer: 60, isRegistered: (peer) => registered.has(peer) });
    assert.ok(budget.take("a", 30));
    assert.ok(budget.take("b", 20));
    assert.ok(!budget.take("c", 1));
    registered.add("keeper").add("a");
    assert.ok(budget.take("keeper", 50));
    assert.ok(!budget.take("keeper", 1), "no more than is there in all");
    budget.give("a", 30);
    assert.ok(budget.take("a", 30), "as a registered one");
    assert.ok(!budget.take("b", 1));
    for (const [peer, bytes] of [
      ["a", 30],
      ["b", 20],
      ["keeper", 50],
    ] as const)
      budget.give(peer, bytes);
    assert.deepEqual([budget.used, budget.peers], [0, 0]);
    assert.ok(budget.take("c", 50));
  });
});

describe("a storage node in a swarm", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function node(options: Parameters<typeof createHost>[0] = {}): Promise<Host> {
    const host = await createHost({ localNetwork: true, ...options });
    closing.push(async () => host.stop());
    return host;
  }

  it("attack: answers a registered peer although strangers hold all connections and streams that they may", async () => {
    const known = new Set<string>();
    const isKnown = (peer: string) => known.has(peer);
    const server = await node({
      ...{ listen: ["/ip4/127.0.0.1/tcp/0"], maxConnections: 24, isRegistered: isKnown },
    });
    const options = { streams: 8, streamsPerPeer: 2, isRegistered: isKnown };
    const shards = await ShardServer.start(server, serviceOver(new Map()), options);
    closing.push(() => shards.stop());
    const address = server.getMultiaddrs()[0]!.toString();
    for (let i = 0; i < 16; i++) {
      const dialled = await (await node()).dial(server.getMultiaddrs()[0]!).catch(() => undefined);
      await dialled?.newStream(shardProtocol.id).catch(() => undefined);
    }
    for (let tries = 0; server.getConnections().length > 12; tries++) {
      assert.ok(tries < 500, "strangers keep more than half of the connections");
      await delay(10);
    }
    assert.equal(shards.stats.streams, 4);
    const keeper = await node();
    known.add(keeper.peerId.toString());
    const client = await ShardClient.connect(keeper, address);
    closing.push(() => client.close());
    await client.status({ datasetId, bundleIndices: [0] });
  });

  it("knows the peers of operators that have staked for a bundle, and forgets those that have not any more", async () => {
    const peers = await Promise.all([node(), node(), node()]);
    const bytesOf = (host: Host): Hex => bytesToHex(host.peerId.toMultihash().bytes);
    const operators = [1, 2, 3, 4].map(account);
    const stakes = new Map(operators.map((operator, i) => [operator, [10n, 9n, 10n, 10n][i]!]));
    const inactive = new Set([operators[2]]);
    const identities = new Map(
      operators.map((operator, i) => [operator, peers[i] ? bytesOf(peers[i]) : "0x00"]),
    );
    const contracts = contractsOf({
      DatasetRegistry: { parameters: () => ({ bundleStake: 10n }) },
      Staking: {
        operatorCount: () => 4n,
        operators: ([offset, limit]: [bigint, bigint]) =>
          operators.slice(Number(offset), Number(offset + limit)),
        operatorOf: ([operator]: [`0x${string}`]) => ({
          active: !inactive.has(operator),
          stake: stakes.get(operator),
        }),
        identityOf: ([operator]: [`0x${string}`]) => [identities.get(operator), "/dns4/a/tcp/1"],
      },
    });
    const registered = new RegisteredPeers({ contracts, lookEvery: 0 });
    const known = () => peers.map(({ peerId }) => registered.has(peerId.toString()));
    assert.deepEqual(known(), [false, false, false]);
    await registered.tick();
    assert.deepEqual(
      known(),
      [true, false, false],
      "staked enough; too little; gone; a peer id that is none",
    );
    stakes.set(operators[0]!, 9n).set(operators[1]!, 10n);
    inactive.clear();
    await registered.tick();
    assert.deepEqual(known(), [false, true, true]);
  });

  it("attack: looks at a part of the operators at a time, however many have registered", async () => {
    const reads: bigint[] = [];
    const contracts = contractsOf({
      DatasetRegistry: { parameters: () => ({ bundleStake: 10n }) },
      Staking: {
        operatorCount: () => 4_500n,
        operators: ([offset]: [bigint]) => {
          reads.push(offset);
          return [];
        },
      },
    });
    const registered = new RegisteredPeers({ contracts, lookEvery: 0 });
    const looks: number[] = [];
    for (let look = 0; look < 4; look++) {
      await registered.tick();
      looks.push(reads.splice(0).length);
    }
    assert.deepEqual(looks, [20, 20, 5, 20]);
  });
});
