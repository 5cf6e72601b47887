import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { Registry } from "prom-client";
import { connectChain } from "../../../keepers/src/chain/client.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment.ts";
import type { Eip1193 } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { SubgraphRole } from "../../../keepers/src/roles/subgraph/subgraph-role.ts";
import { chainId, EventChain, stakingAddress } from "../../subgraph/event-chain.ts";

const manifest = resolve(import.meta.dirname, "../../../subgraph/build/subgraph.yaml");

describe("the health of a subgraph node", () => {
  let folder: string;
  let role: SubgraphRole;
  /** Whether the endpoint leaves the logs of a block out. */
  let isLying = true;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-subgraph-role-"));
    const chain = new EventChain({ blocks: 40, eventsPerBlock: 4, operators: 101 });
    const provider: Eip1193 = {
      request: async ({ method, params }) => {
        const answer = chain.answer(method, (params ?? []) as readonly unknown[]);
        if (method !== "eth_getLogs" || !isLying) return answer;
        return (answer as { blockNumber: string }[]).filter(({ blockNumber }) => blockNumber !== "0x14");
      },
    };
    role = await SubgraphRole.start({
      manifest,
      client: await connectChain({ chainId, provider }),
      deployment: {
        chainId,
        startBlock: 0n,
        addresses: { Staking: stakingAddress },
      } as Partial<Deployment> as Deployment,
      path: join(folder, "subgraph.sqlite"),
      port: 0,
      pollInterval: 5,
      maximumLag: 10,
      log: pino({ level: "silent" }),
      metrics: new Registry(),
    });
  });

  after(async () => {
    await role?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Waits until the report says so. */
  async function until(
    wanted: (report: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>> {
    for (;;) {
      const report = (await role.healthChecks.subgraph!()) as Record<string, unknown>;
      if (wanted(report)) return report;
      await delay(5);
    }
  }

  it("is bad while blocks cannot be believed, and good again once they can", async () => {
    const stuck = await until(({ ok }) => ok === false);
    assert.deepEqual(stuck, { ok: false, block: 0, behind: 39, failed: false });
    isLying = false;
    const well = await until(({ block }) => block === 39);
    assert.deepEqual(well, { ok: true, block: 39, behind: 0, failed: false });
  });
});
