import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { maskOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { Libp2pExchange } from "../../../../keepers/src/roles/validator/libp2p-exchange.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { CommitteeScene, turnSeconds } from "./committee-scene.ts";

const size = 3;

describe("validators that run on their own", () => {
  const hosts: Host[] = [];
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size, {
      exchange: async (_, { contracts }) => {
        const host = await createHost({ localNetwork: true, listen: ["/ip4/127.0.0.1/tcp/0"] });
        hosts.push(host);
        return new Libp2pExchange({ host, endpoint: host.getMultiaddrs()[0]!.toString(), contracts });
      },
    });
  });

  after(async () => {
    await stage?.close();
    for (const host of hosts) await host.stop();
  });

  it("find each other by what is registered on chain, and attest", async () => {
    const { scene, keepers } = stage;
    const described = await stage.order(size, size);
    const provider = await scene.provider();
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await stage.seed(jobId);
    for (const keeper of [...keepers, provider]) keeper.run();
    const pause = { tick: () => delay(500) };
    await scene.network.chain.advance(size * turnSeconds);
    await scene.until(described, "Attested", [pause]);
    const { signers } = await scene.network.contracts.Committee.read.drawOf([jobId, 1n]);
    assert.equal(signers, maskOf([0, 1, 2]));
  });
});
