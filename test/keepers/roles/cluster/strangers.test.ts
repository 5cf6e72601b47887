import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Hex } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { joiningTypedData } from "../../../../keepers/src/core/market/contributions.ts";
import { clusterProtocol } from "../../../../keepers/src/roles/cluster/protocol.ts";
import { workerKey } from "../../../../keepers/src/roles/provider/payroll.ts";
import type { WorkerDeskOptions } from "../../../../keepers/src/roles/provider/worker-desk.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { shareOfStrangers, shareOfThread } from "../../../../keepers/src/storage/transport/peer-limits.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";
import { SumsForm } from "../../../../keepers/src/training/cluster/forms.ts";
import type { ClusterSession } from "../../../../keepers/src/training/cluster/session.ts";
import { newRun } from "../../training/trainer/fixture.ts";
import { startDesk } from "./support.ts";

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});

/** A desk before a session that wants everything, and what was said to that. */
async function start(changes: Partial<WorkerDeskOptions> = {}) {
  const { program } = await newRun();
  const [left, refused]: [string[], string[]] = [[], []];
  const session = {
    ...{ program, sums: new SumsForm(program, 1), outstanding: 0 },
    wants: () => true,
    refuse: (worker: string) => void refused.push(worker),
    leave: (worker: string) => void left.push(worker),
    deliver: () => "late",
    pending: () => 0,
  } as unknown as ClusterSession;
  const desk = await startDesk(
    { session, engine: { objectBytes: 65, microBatches: 8 }, chunkSize: 1 },
    changes,
  );
  cleanUp.push(() => desk.close());
  return { ...desk, left, refused };
}

/** A node of a stranger. */
async function stranger(address: string) {
  const host = await createHost({ localNetwork: true });
  cleanUp.push(async () => host.stop());
  const client = await RpcClient.connect(host, clusterProtocol, address, { attempts: 1 });
  const peer = host.peerId.toString();
  return {
    ...{ host, client, peer },
    async join(account: PrivateKeyAccount = privateKeyToAccount(generatePrivateKey())) {
      const signature = await account.signTypedData(joiningTypedData({ peer, provider: client.peer }));
      const { result } = await client.ask("join", { account: account.address, signature });
      return { account, session: result.session };
    },
  };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 500) assert.fail(`never: ${what}`);
    await delay(10);
  }
}

const isRefusal = (code: string) => (error: unknown) => error instanceof RefusalError && error.code === code;

describe("strangers at a provider's desk", { timeout: 60_000 }, () => {
  it("attack: a peer that works for one account is not let in under another until it has gone", async () => {
    const { desk, address, left } = await start();
    const { host, join, peer } = await stranger(address);
    const { account } = await join();
    await assert.rejects(join(), isRefusal("busy"));
    await join(account);
    assert.equal(desk.members, 1);
    await host.stop();
    await until(() => desk.members === 0, "it is gone");
    assert.deepEqual(left, [workerKey(account.address, peer)], "nothing of it is left in the session");
  });

  it("attack: a peer that asks under two accounts at once works for one of them", async () => {
    const { desk, address, left } = await start();
    const { host, join } = await stranger(address);
    const both = await Promise.allSettled([join(), join()]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    await host.stop();
    await until(() => desk.members === 0, "it is gone");
    assert.equal(left.length, 1);
  });

  it("attack: a peer whose sums again and again are not those of their digest, or too long, is shut out", async () => {
    const { address, host, refused } = await start();
    const { client, join, peer } = await stranger(address);
    const { session } = await join();
    const tooLong = new Uint8Array(2 ** 20);
    for (const body of [new Uint8Array(9), tooLong, new Uint8Array(9), tooLong, new Uint8Array(9)]) {
      await assert.rejects(client.ask("deliver", { session, chunk: 0, digest: "0".repeat(64) }, { body }), {
        name: "TransportError",
      });
    }
    assert.equal(refused.length, 5);
    await until(
      () => !host.getConnections().some(({ remotePeer }) => remotePeer.toString() === peer),
      "the peer is sent away",
    );
    await assert.rejects(client.ask("take", { session, holds: null }), { name: "TransportError" });
  });

  it("attack: a signature is not looked at while there is no seat for who brings it", async () => {
    const { address } = await start({ mostWorkers: 1 });
    await (await stranger(address)).join();
    const { client } = await stranger(address);
    const signature: Hex = `0x${"11".repeat(65)}`;
    const account = privateKeyToAccount(generatePrivateKey()).address;
    await assert.rejects(client.ask("join", { account, signature }), isRefusal("full"));
  });

  it("attack: strangers without a seat ask for no more than half of what all may, and workers are heard all the same", async () => {
    // Of a clock that stands still nothing comes back.
    const { address } = await start({ mostWorkers: 1, limits: { now: () => 0 } });
    const member = await stranger(address);
    const { account } = await member.join();
    const answers: string[] = [];
    for (let peer = 0; peer < 3; peer++) {
      const { join } = await stranger(address);
      for (let i = 0; i < 30; i++) {
        answers.push(await join().then(String, (error: unknown) => (error as RefusalError).code));
      }
    }
    // The member's own joining was a stranger's.
    const heard = (shareOfThread.burst * shareOfStrangers) / clusterProtocol.methods.join.cost - 1;
    assert.equal(answers.filter((answer) => answer === "full").length, heard);
    assert.equal(answers.filter((answer) => answer === "busy").length, answers.length - heard);
    const asking = member.client.ask("share", { jobId: "7", account: account.address });
    await assert.rejects(asking, isRefusal("not-found"));
  });
});
