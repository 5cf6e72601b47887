import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../../../keepers/src/chain/clock.ts";
import { RpcUnavailableError } from "../../../../keepers/src/chain/rpc/errors.ts";
import { WrongEncodingError } from "../../../../keepers/src/core/dataset/decode.ts";
import { DecryptionError } from "../../../../keepers/src/core/dataset/encryption.ts";
import { WrongHashListError } from "../../../../keepers/src/core/dataset/object-hashes.ts";
import { AssayError, BadInputError } from "../../../../keepers/src/core/errors.ts";
import { fetched, isFraud, tried } from "../../../../keepers/src/roles/audit/tried.ts";
import { OrderRefusedError } from "../../../../keepers/src/roles/jobs/errors.ts";
import { WrongBytesError } from "../../../../keepers/src/storage/backends/errors.ts";
import { NoDatasetKeyError } from "../../../../keepers/src/storage/client/dataset-key.ts";
import {
  MalformedManifestError,
  ManifestMismatchError,
  ManifestUnavailableError,
  MisencodedError,
  NotEnoughBundlesError,
  StagingError,
  UnknownDatasetError,
} from "../../../../keepers/src/storage/client/errors.ts";
import { TransportError } from "../../../../keepers/src/storage/transport/errors.ts";
import { ModelTooLargeError } from "../../../../keepers/src/training/executors/errors.ts";

/** Shows that what is stored is not what its owner anchored. */
const frauds = [
  new WrongEncodingError("Object 3"),
  new WrongHashListError("their root is not the anchored one"),
  new DecryptionError("Object 3", "Fetch other shards."),
  new ManifestMismatchError("objectRoot"),
  new MalformedManifestError(new BadInputError("The manifest is not JSON.")),
  new MisencodedError("0x01", 2, undefined),
];
/** What nodes, endpoints and this machine can cause. */
const failures = [
  new ManifestUnavailableError("bafy", []),
  new NotEnoughBundlesError(0, 1, 2, []),
  new TransportError("the connection broke"),
  new WrongBytesError("bafy", "a store"),
  new RpcUnavailableError("no endpoint answers"),
  new UnknownDatasetError("0x01"),
  new NoDatasetKeyError(undefined),
  new StagingError("/tmp", new Error("no space")),
];
const failing = (error: Error) => () => Promise.reject(error);

describe("an attempt of an audit", () => {
  it("attack: finds fraud in what is stored, whatever else failed, and never in what one node can cause", async () => {
    for (const error of [
      ...frauds,
      new OrderRefusedError("training", "it is another"),
      new BadInputError("no"),
    ])
      assert.deepEqual(await tried(failing(error)), {
        ...{ isWrong: true, isOurs: false, isUnavailable: false, reason: error.message },
      });
    for (const error of failures) {
      const found = await tried(failing(error));
      assert.ok(!("value" in found) && !found.isWrong, error.name);
    }
    assert.deepEqual(frauds.filter(isFraud), frauds);
    assert.deepEqual([...failures, new BadInputError("no"), "no"].filter(isFraud), []);
  });

  it("says nothing of the order where its model does not fit in here", async () => {
    const found = await tried(failing(new ModelTooLargeError(2, 1)));
    assert.ok(!("value" in found) && found.isOurs && !found.isWrong);
  });

  it("ends when it is interrupted, or fails in a way that nobody foresaw", async () => {
    const interrupted = new AssayError("interrupted");
    await assert.rejects(tried(failing(new TypeError("no")), AbortSignal.abort(interrupted)), interrupted);
    await assert.rejects(tried(failing(interrupted), AbortSignal.abort(interrupted)), interrupted);
    await assert.rejects(tried(failing(new TypeError("no"))), TypeError);
  });
});

describe("what an audit fetches", () => {
  /** Fetches in spite of failures, one after the other; how often, and for how long it waited. */
  async function fetching(errors: readonly Error[], signal?: AbortSignal) {
    const left = [...errors];
    let [asked, slept] = [0, 0];
    const clock: Clock = {
      now: () => slept,
      sleep: async (milliseconds) => {
        slept += milliseconds;
      },
    };
    const found = await fetched(
      async () => {
        asked++;
        const error = left.shift();
        if (error !== undefined) throw error;
        return "bytes";
      },
      { clock, signal },
    );
    return { found, asked, slept };
  }

  it("is asked for once more after a while when nobody gives it", async () => {
    const error = new NotEnoughBundlesError(0, 1, 2, []);
    assert.deepEqual(await fetching([error]), { found: { value: "bytes" }, asked: 2, slept: 2_000 });
    const { found, asked } = await fetching([error, error, error]);
    assert.ok(!("value" in found) && found.isUnavailable);
    assert.equal(asked, 2);
    assert.equal((await fetching([])).asked, 1);
  });

  it("is not asked for again when it is wrong", async () => {
    for (const error of frauds) assert.equal((await fetching([error])).asked, 1);
  });

  it("is not waited for once the audit is interrupted", async () => {
    const stop = new AbortController();
    const interrupted = new AssayError("interrupted");
    const clock: Clock = { now: () => 0, sleep: async () => stop.abort(interrupted) };
    let asked = 0;
    const work = async () => {
      asked++;
      throw new ManifestUnavailableError("bafy", []);
    };
    await assert.rejects(fetched(work, { clock, signal: stop.signal }), interrupted);
    assert.equal(asked, 1);
  });
});
