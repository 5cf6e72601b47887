/** What free seats at a provider's desk leave to those that work. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { joiningTypedData } from "../../../../keepers/src/core/market/contributions.ts";
import { clusterProtocol } from "../../../../keepers/src/roles/cluster/protocol.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";
import { SumsForm } from "../../../../keepers/src/training/cluster/forms.ts";
import type { ClusterSession, Verdict } from "../../../../keepers/src/training/cluster/session.ts";
import { newRun } from "../../training/trainer/fixture.ts";
import { startDesk } from "./support.ts";

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});

const isRefusal = (code: string) => (error: unknown) => error instanceof RefusalError && error.code === code;
const digest = "00".repeat(32);

/** A desk before a session that says the same of each result, under a clock that stands still unless the test moves it. */
async function start(changes: Partial<Record<keyof ClusterSession, unknown>> = {}) {
  const { program } = await newRun();
  const clock = { now: 0 };
  let verdict: Verdict = "pending";
  const session = {
    ...{ program, sums: new SumsForm(program, 1), outstanding: 0 },
    ...{ wants: () => false, leave: () => undefined, pending: () => 0, deliver: () => verdict },
    ...changes,
  } as unknown as ClusterSession;
  const job = { session, engine: { objectBytes: 65, microBatches: 8 }, chunkSize: 1 };
  const provider = await startDesk(job, { limits: { now: () => clock.now } });
  cleanUp.push(() => provider.close());
  const seat = async (account = privateKeyToAccount(generatePrivateKey())) => {
    const host = await createHost({ localNetwork: true });
    cleanUp.push(async () => host.stop());
    const client = await RpcClient.connect(host, clusterProtocol, provider.address, { attempts: 1 });
    const message = joiningTypedData({ peer: host.peerId.toString(), provider: client.peer });
    const signature = await account.signTypedData(message);
    const { result } = await client.ask("join", { account: account.address, signature });
    const deliver = () => client.ask("deliver", { session: result.session, chunk: 0, digest });
    return { account, client, host, session: result.session, deliver };
  };
  const busy = await Promise.all([seat(), seat(), seat(), seat(), seat()]);
  return {
    ...{ ...provider, clock, seat },
    say: (said: Verdict) => {
      verdict = said;
    },
    /** Has seated strangers ask for all that there is to be had. */
    useUp: async () => {
      for (const { client, account } of busy) {
        const share = { jobId: "7", account: account.address };
        for (let refused = 0; refused < 2; ) {
          await client.ask("share", share).catch(({ code }) => {
            if (code === "busy" || code === "rate-limited") refused++;
          });
        }
      }
      for (const { deliver } of busy) {
        for (let refused = false; !refused; ) {
          await deliver().catch(() => {
            refused = true;
          });
        }
      }
    },
  };
}

describe("strangers with seats at a provider's desk", { timeout: 60_000 }, () => {
  it("attack: keep nobody from being heard whose results were taken, whatever they ask, and it is the account that counts", async () => {
    const { seat, say, useUp } = await start();
    const worker = await seat();
    say("accepted");
    await worker.deliver();
    say("pending");
    await useUp();
    for (let i = 0; i < 20; i++) await worker.deliver();
    const second = await seat(worker.account);
    for (let i = 0; i < 20; i++) await second.deliver();
    await assert.rejects(worker.deliver(), isRefusal("busy"));
    await assert.rejects(second.deliver(), isRefusal("busy"));
    const third = await seat(worker.account);
    await assert.rejects(third.deliver(), isRefusal("busy"));
  });

  it("attack: leave each new one its part of what seats have, and get nothing for each seat that they take anew", async () => {
    const { seat, clock, useUp } = await start();
    await useUp();
    const worker = await seat();
    await assert.rejects(worker.deliver(), isRefusal("busy"));
    for (let second = 0; second < 3; second++) {
      clock.now += 1_000;
      await useUp();
      for (let i = 0; i < 4; i++) await worker.deliver();
      await assert.rejects(worker.deliver(), isRefusal("busy"));
    }
    for (let i = 0; i < 3; i++) await assert.rejects((await seat()).deliver(), isRefusal("busy"));
  });
});
