/** What free seats at a provider's desk leave to those that work. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { joiningTypedData } from "../../../../keepers/src/core/market/contributions.ts";
import { clusterProtocol } from "../../../../keepers/src/roles/cluster/protocol.ts";
import { workerKey } from "../../../../keepers/src/roles/provider/payroll.ts";
import { budgetOf } from "../../../../keepers/src/storage/transport/byte-budget.ts";
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
    exhaust: async () => {
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
    const { seat, say, exhaust } = await start();
    const worker = await seat();
    say("accepted");
    await worker.deliver();
    say("pending");
    await exhaust();
    for (let i = 0; i < 20; i++) await worker.deliver();
    const second = await seat(worker.account);
    for (let i = 0; i < 20; i++) await second.deliver();
    await assert.rejects(worker.deliver(), isRefusal("busy"));
    await assert.rejects(second.deliver(), isRefusal("busy"));
    const third = await seat(worker.account);
    await assert.rejects(third.deliver(), isRefusal("busy"));
  });

  it("attack: leave each new one its part of what seats have, and get nothing for each seat that they take anew", async () => {
    const { seat, clock, exhaust } = await start();
    await exhaust();
    const worker = await seat();
    await assert.rejects(worker.deliver(), isRefusal("busy"));
    for (let second = 0; second < 3; second++) {
      clock.now += 1_000;
      await exhaust();
      for (let i = 0; i < 4; i++) await worker.deliver();
      await assert.rejects(worker.deliver(), isRefusal("busy"));
    }
    for (let i = 0; i < 3; i++) await assert.rejects((await seat()).deliver(), isRefusal("busy"));
  });
});

describe("states that a provider hands to its workers", { timeout: 60_000 }, () => {
  it("attack: count as memory of whoever does not read them, until they are read or the stream ends, and its chunk is given to others", async () => {
    const left: string[] = [];
    const [bytes, objects] = [new Uint8Array(24 * 2 ** 20), new Uint8Array(65)];
    const { seat, host } = await start({
      take: async () => ({ chunk: 0, state: digest, since: undefined, bytes, objects, isSender: true }),
      leave: (worker: string) => void left.push(worker),
    });
    const budget = budgetOf(host);
    const before = budget.used;
    const { client, session, account, host: own } = await seat();
    const take = () => client.call("take", { session, holds: null });
    const replies = [await take(), await take()];
    const each = bytes.length + objects.length;
    assert.ok(budget.used >= before + 2 * each, `${budget.used} bytes`);
    await assert.rejects(take(), isRefusal("busy"));
    assert.deepEqual(left, [workerKey(account.address, own.peerId.toString())]);
    let read = 0;
    for await (const piece of replies[0]!.body) read += piece.length;
    assert.equal(read, each);
    await until(() => budget.used < before + 2 * each, "what was read is given back");
    replies[1]!.discard();
    (await take()).discard();
    await own.stop();
    await until(() => budget.used <= before, "all of it is given back");
  });
});

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 500) assert.fail(`never: ${what}`);
    await delay(10);
  }
}
