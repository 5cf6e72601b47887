import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { bytesToHex, type Hex } from "viem";
import type { Contracts } from "../../../../keepers/src/chain/contracts.ts";
import { OperatorPeers } from "../../../../keepers/src/storage/client/peers.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { ShardServer, type ShardService } from "../../../../keepers/src/storage/transport/shard-service.ts";

const operator = "0x00000000000000000000000000000000000000aa";
const datasetId: Hex = `0x${"11".repeat(32)}`;

describe("an operator that a keeper has met", { timeout: 90_000 }, () => {
  const closing: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function openHost(options: Partial<Parameters<typeof createHost>[0]> = {}): Promise<Host> {
    const host = await createHost({ localNetwork: true, ...options });
    closing.push(async () => host.stop());
    return host;
  }

  /** A node that can move, and a keeper that looks it up. */
  async function meeting(lookUpEvery: number) {
    const privateKey = await generateKeyPair("Ed25519");
    const service = {
      status: async () => ({ bundles: [{ bundleIndex: 0, state: "absent", received: 0 }] }),
    } as unknown as ShardService;
    let registered: readonly [Hex, string];
    let leave = async (): Promise<void> => {};
    const chain = { reads: 0, isDown: false };

    async function move(): Promise<void> {
      await leave();
      const host = await openHost({ privateKey, listen: ["/ip4/127.0.0.1/tcp/0"] });
      const server = await ShardServer.start(host, service, {});
      registered = [bytesToHex(host.peerId.toMultihash().bytes), host.getMultiaddrs()[0]!.toString()];
      leave = async () => {
        await server.stop();
        await host.stop();
      };
    }

    const identityOf = async () => {
      chain.reads++;
      if (chain.isDown) throw new Error("no endpoint answers");
      return registered;
    };
    const contracts = { Staking: { read: { identityOf } } } as unknown as Contracts;
    const peers = new OperatorPeers(contracts, await openHost(), { lookUpEvery });
    closing.push(() => peers.close());
    await move();
    return {
      chain,
      move,
      stop: () => leave(),
      register: (peerId: Hex, endpoint: string) => {
        registered = [peerId, endpoint];
      },
      registered: () => registered,
      async ask(): Promise<string> {
        const shards = await peers.connect(operator);
        const { bundles } = await shards.status({ datasetId, bundleIndices: [0] }, { timeout: 3_000 });
        return bundles[0]!.state;
      },
    };
  }

  it("is reached again once it has moved and registered where it is", async () => {
    const { ask, move, chain } = await meeting(60_000);
    assert.equal(await ask(), "absent");
    await move();
    await assert.rejects(ask(), { name: "TransportError" });
    assert.equal(await ask(), "absent");
    assert.equal(await ask(), "absent");
    assert.equal(chain.reads, 2);
  });

  it("is reached again as another peer", async () => {
    const [one, other] = [await meeting(60_000), await meeting(60_000)];
    assert.equal(await one.ask(), "absent");
    await one.stop();
    one.register(...other.registered());
    await assert.rejects(one.ask(), { name: "TransportError" });
    assert.equal(await one.ask(), "absent");
  });

  it("attack: is looked up once a minute while it is not reached, however often it is asked", async () => {
    const { ask, stop, chain } = await meeting(60_000);
    assert.equal(await ask(), "absent");
    await stop();
    for (let i = 0; i < 4; i++) await assert.rejects(ask(), { name: "TransportError" });
    assert.equal(chain.reads, 2);
  });

  it("is asked where it was while the chain cannot be asked", async () => {
    const { ask, move, chain } = await meeting(0);
    assert.equal(await ask(), "absent");
    await move();
    chain.isDown = true;
    for (let i = 0; i < 2; i++) await assert.rejects(ask(), { name: "TransportError" });
    chain.isDown = false;
    assert.equal(await ask(), "absent");
  });
});
