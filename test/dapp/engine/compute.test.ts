import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { bytesToHex, type Hex, hexToBytes, zeroHash } from "viem";
import type { Engine } from "../../../dapp/src/engine/client.ts";
import type { VerifyInput } from "../../../dapp/src/engine/methods.ts";
import { intervalSalt, traceLength } from "../../../keepers/src/core/exact/commitment.ts";
import { samplesOf } from "../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../keepers/src/core/exact/random/initialize.ts";
import {
  checkpointFile,
  checkpointLeaves,
  encodeLeaves,
  encodeState,
  type OpenedLeaf,
  resultFiles,
} from "../../../keepers/src/core/exact/result-files.ts";
import { objectHash } from "../../../keepers/src/core/merkle/object-hash.ts";
import { type DescribedOrder, describeOrder } from "../../../keepers/src/roles/consumer/describe-order.ts";
import { compilePublished, type JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { readDigits } from "../../../keepers/src/storage/readers/digits.ts";
import { MemoryObjects } from "../../../keepers/src/training/data/memory-objects.ts";
import { ExecutedRun } from "../../../keepers/src/training/dispute/own-run.ts";
import { evaluateExact } from "../../../keepers/src/training/evaluate/evaluate.ts";
import { nativeExecutor } from "../../../keepers/src/training/executors/native.ts";
import { exportModel } from "../../../keepers/src/training/export/export.ts";
import { writeOnnx } from "../../../keepers/src/training/onnx/write.ts";
import { intervalHash, stateRootOf, traceRootOf } from "../../../keepers/src/training/trace/commitments.ts";
import { digitsConfig, limits } from "../../keepers/roles/jobs/scene.ts";
import { noBrowser } from "../support/browser.ts";
import { call, EnginePage, type Given, hex } from "./support.ts";

const bytes = (given: string): Given => ({ given, as: "bytes" });
const secret: Hex = `0x${"5e".repeat(32)}`;
/** The interval that is computed again. */
const interval = 3;

describe("what the page computes", { skip: noBrowser }, () => {
  let engines: EnginePage;
  let folder: string;
  let page: Page;
  let faults: readonly string[];

  before(async () => {
    engines = await EnginePage.open();
    folder = await mkdtemp(join(tmpdir(), "assay-compute-"));
    ({ page, faults } = await engines.visit());
  });

  after(async () => {
    await engines?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  describe("a job of the digits", () => {
    let described: DescribedOrder;
    let job: JobProgram;
    let objects: Uint8Array;
    let source: MemoryObjects;
    let leaves: OpenedLeaf[];
    let last: readonly Int32Array[];
    const states = new Map<number, Uint8Array>();
    let input: Omit<VerifyInput, "state" | "objects" | "onnx">;

    before(async () => {
      const digits = await readDigits();
      const parts: Uint8Array[] = [];
      for await (const object of digits.objects()) parts.push(object);
      objects = new Uint8Array(Buffer.concat(parts));
      source = new MemoryObjects("digits", digits.objectSize, objects);
      const format = digits.format();
      described = await describeOrder({
        consumer: `0x${"11".repeat(20)}`,
        config: digitsConfig,
        dataset: {
          ...digits,
          datasetId: `0x${"d1".repeat(32)}`,
          records: format.kind === "records" ? format : undefined,
        },
        folder,
        executor: nativeExecutor,
        conditions: { maximumPrice: 1n },
        expiry: 1n,
      });
      job = await compilePublished(described, limits, () => Promise.reject(new Error("a built-in model")));
      const { order, compiled, options } = job;
      const { program } = compiled;
      const first = { step: 0, state: initialState(program, order.seed) };
      const own = new ExecutedRun({
        ...{ program, order, source, executor: nativeExecutor, options },
        nearest: () => Promise.resolve(first),
      });
      leaves = [{ stateRoot: order.initialRoot, h: zeroHash }];
      for (let i = 0; i + 1 < traceLength(order.steps, order.interval); i++) {
        const witnesses = await own.witnesses(i);
        const end = Math.min((i + 1) * order.interval, order.steps);
        const [stateRoot] = await own.stateRoots([end]);
        leaves.push({ stateRoot: stateRoot!, h: intervalHash(secret, i, witnesses) });
        if (checkpointLeaves(order).includes(i + 1))
          states.set(i + 1, encodeState(program, await own.state(end)));
        if (i + 1 === interval) await engines.serve("state", encodeState(program, await own.state(end)));
        if (end === order.steps) last = await own.state(end);
      }
      await own.close();
      await engines.serve("objects", objects);
      await engines.serve("last", encodeState(program, last));
      input = {
        published: {
          order: { problem: described.order.problem },
          training: described.training,
          package: described.package,
        },
        interval,
        leaves,
        traceRoot: traceRootOf(leaves, order),
        salt: bytesToHex(intervalSalt(hexToBytes(secret), interval)),
      };
    });

    const verify = (
      change: Partial<Omit<VerifyInput, "state" | "objects">> = {},
      given: { state?: string; objects?: string } = {},
      cancelAfter?: number,
    ) =>
      call(
        page,
        "verifyInterval",
        {
          ...input,
          ...change,
          state: bytes(given.state ?? "state"),
          objects: { kind: "all", bytes: bytes(given.objects ?? "objects") },
        } as Parameters<typeof call<"verifyInterval">>[2],
        cancelAfter,
      );

    const names = ({ checks }: { checks: { name: string; holds: boolean }[] }) =>
      checks.map(({ name, holds }) => `${holds ? "" : "not "}${name}`);

    it("gives, computed again in the page, the state and the witnesses that Node computed", async () => {
      const { output, error, stages } = await verify();
      assert.equal(error, undefined);
      assert.equal(output!.verdict, "right");
      assert.deepEqual(names(output as never), [
        "program",
        "trace",
        "state before",
        "objects",
        "state after",
        "witnesses",
      ]);
      assert.deepEqual([output!.firstStep, output!.steps], [15, 5]);
      assert.deepEqual(stages, ["checking", "computing"]);
      assert.equal(output!.checks[4]!.found, leaves[interval + 1]!.stateRoot);
    });

    it("is believed by the objects that were read alone, with the hashes of all", async () => {
      const { order } = job;
      const samples = samplesOf(order);
      const indices = new Set<number>();
      for (let step = 15; step < 20; step++) for (const index of samples.batch(step)) indices.add(index);
      const hashes = Buffer.concat(
        Array.from({ length: order.objects }, (_, i) =>
          objectHash(objects.subarray(i * order.objectBytes, (i + 1) * order.objectBytes)),
        ),
      );
      await engines.serve("hashes", hashes);
      const proven = (change: [number, number] | undefined) =>
        page.evaluate(
          async ({ input, indices, objectBytes, change }) => {
            const { engine } = globalThis as unknown as { engine: Engine };
            const load = async (name: string) =>
              new Uint8Array(await (await fetch(`./given/${name}`)).arrayBuffer());
            const all = await load("objects");
            const objects = new Map(
              indices.map((index) => [index, all.slice(index * objectBytes, (index + 1) * objectBytes)]),
            );
            if (change !== undefined) objects.get(change[0])![change[1]]! ^= 1;
            return await engine.call("verifyInterval", {
              ...input,
              state: await load("state"),
              objects: { kind: "proven", hashes: await load("hashes"), objects },
            });
          },
          { input, indices: [...indices], objectBytes: order.objectBytes, change },
        );
      const right = await proven(undefined);
      assert.equal(right.verdict, "right");
      const [some] = indices;
      const changed = await proven([some!, 5]);
      assert.equal(changed.verdict, "unusable");
      assert.match(changed.checks.at(-1)!.how, new RegExp(`Object ${some} does not have the hash`));
    });

    it("is wrong where the trace names another state, or binds other witnesses", async () => {
      const { order } = job;
      const forged = leaves.map((leaf, i) =>
        i === interval + 1 ? { ...leaf, stateRoot: leaves[interval]!.stateRoot } : leaf,
      );
      const { output } = await verify({ leaves: forged, traceRoot: traceRootOf(forged, order) });
      assert.equal(output!.verdict, "wrong");
      const state = output!.checks.find(({ name }) => name === "state after")!;
      assert.deepEqual(
        [state.holds, state.claimed, state.found],
        [false, leaves[interval]!.stateRoot, leaves[interval + 1]!.stateRoot],
      );
      const salted = await verify({ salt: `0x${"00".repeat(32)}` });
      assert.equal(salted.output!.verdict, "wrong");
      assert.deepEqual(names(salted.output as never).slice(-2), ["state after", "not witnesses"]);
    });

    it("cannot be judged by what is not the order's or the trace's", async () => {
      const verdict = async (...given: Parameters<typeof verify>) => {
        const { output, error } = await verify(...given);
        assert.equal(error, undefined);
        assert.equal(output!.verdict, "unusable");
        return names(output as never).at(-1);
      };
      assert.equal(await verdict({}, { state: "last" }), "not state before");
      await engines.serve("short", objects.subarray(65));
      assert.equal(await verdict({}, { objects: "short" }), "not objects");
      await engines.serve("cut", new Uint8Array(12));
      assert.equal(await verdict({}, { state: "cut" }), "not state before");
      assert.equal(await verdict({ traceRoot: secret }), "not trace");
      assert.equal(await verdict({ leaves: leaves.slice(1) }), "not trace");
      const { problem } = described.order;
      const published = { ...input.published, order: { problem: { ...problem, programRoot: secret } } };
      assert.equal(await verdict({ published }), "not program");
      const none = await verify({ interval: 99 });
      assert.match(none.error!.message, /There is no interval 99/);
    });

    it("stops between two steps when it is cancelled", async () => {
      const { error, stages } = await verify({}, {}, 5);
      assert.equal(error?.name, "AbortError");
      assert.deepEqual(stages, ["checking", "computing"]);
      assert.equal((await verify()).output!.verdict, "right");
    });

    describe("that is fetched through a gateway", () => {
      let dataset: string;
      let bundles: readonly string[];
      const result = (files: Record<string, Uint8Array> = {}) =>
        engines.storeFolder("result", {
          [resultFiles.state]: encodeState(job.compiled.program, last),
          [resultFiles.leaves]: encodeLeaves(leaves),
          ...Object.fromEntries([...states].map(([leaf, state]) => [checkpointFile(leaf), state])),
          ...files,
        });
      const fetchJob = async (change: { dataset?: string; result?: string } = {}, cancelAfter?: number) =>
        call(
          page,
          "fetchJob",
          {
            gateway: engines.gateway,
            published: input.published,
            dataset,
            result: change.result ?? (await result()).cid,
            traceRoot: input.traceRoot,
            stateRoot: stateRootOf(job.compiled.program, last),
            ...change,
          } as never,
          cancelAfter,
        );

      before(async () => {
        const { cid, manifest } = await engines.store(await readDigits());
        dataset = cid;
        bundles = manifest.bundles.map((bundle) => bundle.cid);
      });

      it("is checked as a whole, each interval from the nearest state that is stored", async () => {
        const { output, error } = await fetchJob();
        assert.equal(error, undefined);
        assert.deepEqual(names(output as never), ["program", "objects", "trace"]);
        const { order } = job;
        assert.deepEqual(
          [output!.steps, output!.intervals, output!.stepsPerInterval, output!.objects, output!.known],
          [40, 8, 5, order.objects, [0, 1, 3, 4, 6]],
        );
        for (const at of [0, 2, 7]) {
          const verified = await call(page, "verifyJob", { job: output!.job, interval: at });
          assert.equal(verified.output!.verdict, "right", `interval ${at}`);
          assert.equal(verified.output!.checks.at(-1)!.found, leaves[at + 1]!.stateRoot);
          const between = at === 2 || at === 7 ? ["state before"] : [];
          assert.deepEqual(names(verified.output as never).slice(3), [
            "known state",
            ...between,
            "state after",
          ]);
        }
        const scored = await call(page, "evaluate", { model: output!.model!.model, samples: "validation" });
        assert.equal(scored.output!.samples, samplesOf(order).validationCount);
        const sample = await call(page, "readSample", { model: output!.model!.model, sample: 3 });
        const at = 65 * samplesOf(order).validation(3);
        assert.deepEqual(sample.output, {
          pixels: hex(objects.subarray(at, at + 64)),
          label: objects[at + 64],
        });
        const beyond = await call(page, "readSample", { model: output!.model!.model, sample: 99_999 });
        assert.match(beyond.error!.message, /There is no sample 99999/);
        const none = await call(page, "verifyJob", { job: output!.job, interval: 8 });
        assert.match(none.error!.message, /There is no interval 8/);
      });

      it("is had while enough bundles are, and never believed where they are wrong", async () => {
        await rm(engines.blobPath(bundles[0]!));
        assert.equal((await fetchJob()).error, undefined);
        await writeFile(engines.blobPath(bundles[1]!), new Uint8Array(500));
        const { error } = await fetchJob();
        assert.equal(error!.name, "FetchError");
        assert.match(error!.message, /Of segment 0 of the dataset digits, 1 of 2 bundles could be had\./);
        assert.match(error!.next!, /another gateway/);
        const absent = await fetchJob({ dataset: bundles[0]! });
        assert.match(absent.error!.message, /could not be had from the gateway: it answers with status 404/);
        await engines.store(await readDigits());
      });

      it("gives no model, or nothing to compare with, where what is stored is not what was committed to", async () => {
        const forged = leaves.map((leaf) => ({ ...leaf, h: secret }));
        const wrong = await result({
          [resultFiles.leaves]: encodeLeaves(forged),
          [resultFiles.state]: states.get(1)!,
        });
        const { output, error } = await fetchJob({ result: wrong.cid });
        assert.equal(error, undefined);
        assert.deepEqual(names(output as never), ["program", "objects", "not trace"]);
        assert.deepEqual([output!.hasLeaves, output!.model, output!.known], [false, undefined, [0]]);
        const { error: nothing } = await call(page, "verifyJob", { job: output!.job, interval: 0 });
        assert.match(nothing!.message, /did not store the trace/);
        const other = await engines.storeFolder("other", { a: new Uint8Array(3) });
        assert.match(
          (await fetchJob({ dataset: other.cid })).error!.message,
          /not the one that the order names/,
        );
        assert.match((await fetchJob({ result: dataset })).error!.message, /is no folder of files/);
      });

      it("names the first interval that a lie touches", async () => {
        const lie = leaves.map((leaf, i) => (i === 5 ? { ...leaf, stateRoot: leaves[4]!.stateRoot } : leaf));
        const { cid } = await result({ [resultFiles.leaves]: encodeLeaves(lie) });
        const { output } = await call(page, "fetchJob", {
          gateway: engines.gateway,
          published: input.published,
          dataset,
          result: cid,
          traceRoot: traceRootOf(lie, job.order),
          stateRoot: stateRootOf(job.compiled.program, last),
        } as never);
        const verdict = async (at: number) => {
          const verified = await call(page, "verifyJob", { job: output!.job, interval: at });
          return [verified.output!.verdict, names(verified.output as never).at(-1)];
        };
        assert.deepEqual(await verdict(4), ["wrong", "not state after"]);
        assert.deepEqual(await verdict(5), ["wrong", "not state before"]);
        assert.deepEqual(await verdict(6), ["right", "state after"]);
      });

      it("stops when it is cancelled while it is fetched", async () => {
        assert.equal((await fetchJob({}, 2)).error?.name, "AbortError");
        assert.equal((await fetchJob()).error, undefined);
      });
    });

    it("is scored, and predicts, with Node's bits", async () => {
      const { order, compiled, options } = job;
      const { program } = compiled;
      const stateRoot = stateRootOf(program, last);
      const opened = await call(page, "openModel", { ...input, state: bytes("last"), stateRoot } as never);
      assert.equal(opened.error, undefined);
      const { model: id, ...about } = opened.output!;
      const samples = samplesOf(order);
      assert.deepEqual(about, {
        stateRoot,
        objectBytes: 65,
        shape: [64],
        layout: "flat",
        side: 8,
        fullScale: 16,
        outputs: 10,
        validation: samples.validationCount,
      });
      const kept = { source, count: samples.validationCount, index: (i: number) => samples.validation(i) };
      const evaluate = (samples: "validation" | "all") =>
        call(page, "evaluate", { model: id, objects: bytes("objects"), samples });
      const { output } = await evaluate("validation");
      assert.deepEqual(output, await evaluateExact(nativeExecutor, program, last, kept, options));
      const cancelled = await call(
        page,
        "evaluate",
        { model: id, objects: bytes("objects"), samples: "all" },
        3,
      );
      assert.equal(cancelled.error?.name, "AbortError");

      const object = objects.subarray(65 * 7, 65 * 8);
      await engines.serve("digit", object.subarray(0, 64));
      const predicted = await call(page, "predict", { model: id, pixels: bytes("digit") });
      const batch = new Uint8Array(65 * program.microBatch);
      for (let row = 0; row < program.microBatch; row++) batch.set(object, 65 * row);
      const witness = await nativeExecutor.predict(program, last, batch, options);
      assert.deepEqual(predicted.output!.mantissas, [...witness.mantissas.subarray(0, 10)]);
      assert.equal(predicted.output!.exponent, witness.exponent);
      assert.equal(predicted.output!.found, object[64]);
      assert.ok(Math.abs(predicted.output!.probabilities.reduce((a, b) => a + b) - 1) < 1e-12);

      const exported = await call(page, "exportModel", { model: id });
      assert.equal(exported.output, hex(writeOnnx(exportModel(compiled, last))));

      const wrong = await call(page, "predict", { model: id, pixels: bytes("last") });
      assert.match(wrong.error!.message, /A sample of this model has 64 numbers/);
      await call(page, "closeModel", { model: id });
      const closed = await call(page, "predict", { model: id, pixels: bytes("digit") });
      assert.match(closed.error!.message, /There is no open model/);
      const other = await call(page, "openModel", { ...input, state: bytes("state"), stateRoot } as never);
      assert.match(other.error!.message, /The state has the root 0x/);
    });
  });

  it("breaks nothing that the page's policy says", () => {
    // Bundles that were not there are asked for all the same.
    assert.deepEqual(
      faults.filter((fault) => !fault.includes("404")),
      [],
    );
  });
});
