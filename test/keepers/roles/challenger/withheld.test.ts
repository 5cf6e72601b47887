import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { LocalAccount } from "viem";
import { WatchList } from "../../../../keepers/src/roles/challenger/watch-list.ts";
import type { JobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { ManifestUnavailableError } from "../../../../keepers/src/storage/client/errors.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { TransportError } from "../../../../keepers/src/storage/transport/errors.ts";
import { windows } from "../jobs/network.ts";
import { cheat, Scene, type Ticking } from "../jobs/scene.ts";

/** Lets a little time pass between the ticks of others. */
const pausing: Ticking = { tick: () => delay(200) };

/** Storage of an account, of which one result is read in another way. */
function storageBut(
  scene: Scene,
  account: LocalAccount,
  resultId: string,
  read: (signal: AbortSignal) => Promise<never>,
): JobStorage {
  const real = scene.storage.of(account);
  const other = new AbortController().signal;
  return {
    ...real,
    folder: (parameters) =>
      parameters.datasetId === resultId ? read(parameters.signal ?? other) : real.folder(parameters),
    stream: (parameters) =>
      parameters.datasetId === resultId ? read(parameters.signal ?? other) : real.stream(parameters),
  };
}

describe("a challenger that cannot have what a liar has stored", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  const ways: readonly [string, () => Error][] = [
    ["whose holders give no manifest", () => new ManifestUnavailableError("bafy", [])],
    ["whose holders hang up", () => new TransportError("the connection broke")],
    [
      "that is stored in such a way that reading it fails unforeseen",
      () => new TypeError("undefined is no object"),
    ],
  ];

  for (const [what, failure] of ways) {
    it(`attack: challenges a wrong result ${what}, so that it is not paid`, async () => {
      const described = await scene.order();
      const cheater = await scene.provider({ worker: cheat });
      await scene.consumer.post(described);
      const { jobId, result } = await scene.until(described, "Committed", [cheater]);
      const account = scene.account();
      const storage = storageBut(scene, account, result!.resultId, () => Promise.reject(failure()));
      const watcher = await scene.challenger(account, { storage });
      await scene.until(described, "Failed", [cheater, watcher]);
      const own = watcher.ledger
        .challengesOf(jobId)
        .filter(({ challenger }) => challenger === account.address);
      assert.equal(own.length, 1);
      await watcher.stop();
      await cheater.stop();
    });

    it(`does not challenge a right result ${what}`, async () => {
      const described = await scene.order();
      const provider = await scene.provider();
      await scene.consumer.post(described);
      const { jobId, result } = await scene.until(described, "Committed", [provider]);
      const account = scene.account();
      const storage = storageBut(scene, account, result!.resultId, () => Promise.reject(failure()));
      const watcher = await scene.challenger(account, { storage });
      await scene.settle([watcher, provider]);
      assert.deepEqual(watcher.ledger.challengesOf(jobId), []);
      await scene.network.outlast(windows.challenge);
      await scene.until(described, "Finalised", [provider]);
      await watcher.stop();
      await provider.stop();
    });
  }

  /** As a node does that drips for as long as it is let. */
  const never = async (signal: AbortSignal): Promise<never> => {
    signal.throwIfAborted();
    await once(signal, "abort");
    throw signal.reason;
  };

  it("attack: challenges a wrong result whose holders never end their answer, so that it is not paid", async () => {
    const described = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await scene.consumer.post(described);
    const { jobId, result } = await scene.until(described, "Committed", [cheater]);
    const account = scene.account();
    const storage = storageBut(scene, account, result!.resultId, never);
    const watcher = await scene.challenger(account, { storage, fetchTime: 1 });
    await scene.until(described, "Failed", [cheater, watcher]);
    assert.equal(watcher.ledger.challengesOf(jobId).length, 1);
    await watcher.stop();
    await cheater.stop();
  });

  /** A right result whose holders never end their answer, and a wrong one, of a job that can be challenged for longer. */
  const decoyAndLie = async () => {
    const decoy = await scene.order();
    const honest = await scene.provider();
    await scene.consumer.post(decoy);
    const { result, jobId: decoyId } = await scene.until(decoy, "Committed", [honest]);
    await honest.stop();
    const lie = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await scene.consumer.post(lie);
    const { jobId } = await scene.until(lie, "Committed", [cheater]);
    await cheater.stop();
    const account = scene.account();
    return { account, storage: storageBut(scene, account, result!.resultId, never), jobId, decoyId };
  };

  it("attack: finds a lie while the holders of another job's result never end their answer", async () => {
    const { account, storage, jobId, decoyId } = await decoyAndLie();
    const watcher = await scene.challenger(account, { storage, patience: 100 });
    await scene.untilHolds("the challenge", [watcher, pausing], () => {
      return watcher.ledger.challengesOf(jobId).length > 0;
    });
    assert.deepEqual(watcher.ledger.challengesOf(decoyId), []);
    await watcher.stop();
  });

  it("attack: finds a lie after it has waited long enough for the result of another job", async () => {
    const { account, storage, jobId, decoyId } = await decoyAndLie();
    const watcher = await scene.challenger(account, { storage, fetchTime: 1, inspections: 1 });
    await scene.untilHolds("the challenge", [watcher], () => {
      return watcher.ledger.challengesOf(jobId).length > 0;
    });
    assert.deepEqual(watcher.ledger.challengesOf(decoyId), []);
    await watcher.stop();
  });

  it("looks again for a right result that could not be had, before it lets it be", async () => {
    const described = await scene.order();
    const provider = await scene.provider();
    await scene.consumer.post(described);
    const { jobId, result } = await scene.until(described, "Committed", [provider]);
    const account = scene.account();
    let asked = 0;
    const down = () => {
      asked++;
      return Promise.reject(new TransportError("this machine's network is down"));
    };
    const real = scene.storage.of(account);
    const failing = storageBut(scene, account, result!.resultId, down);
    const storage: JobStorage = {
      ...real,
      stream: failing.stream,
      folder: (parameters) => (asked < 3 ? failing.folder(parameters) : real.folder(parameters)),
    };
    const watcher = await scene.challenger(account, { storage, fetchTime: 60 });
    const verdict = () => {
      const state = openState({
        path: join(scene.network.folder, account.address, "state.sqlite"),
        schemas: [],
      });
      try {
        return new WatchList(state).verdict(jobId);
      } finally {
        state.close();
      }
    };
    await scene.settle([watcher], 1);
    assert.equal(verdict(), "open");
    await scene.untilHolds("another look", [watcher, pausing], () => verdict() === "right");
    assert.ok(asked >= 3, `asked ${asked} times`);
    assert.deepEqual(watcher.ledger.challengesOf(jobId), []);
    await watcher.stop();
    await provider.stop();
  });
});
