import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bytesToHex, type Hex, hexToBytes, keccak256 } from "viem";
import { encodeOrder, type TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import { decodePackage, encodePackage, packageDigest } from "../../../../keepers/src/core/market/package.ts";
import { type DescribedOrder, describeOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import { OrderRefusedError } from "../../../../keepers/src/roles/jobs/errors.ts";
import { compileJob, openJob } from "../../../../keepers/src/roles/jobs/job-program.ts";
import { jobLimits, leastInterval } from "../../../../keepers/src/roles/jobs/job-size.ts";
import type { JobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import type { LoadedConfig } from "../../../../keepers/src/training/config/load-config.ts";
import type { ObjectSequence } from "../../../../keepers/src/training/data/types.ts";
import { ModelTooLargeError } from "../../../../keepers/src/training/executors/errors.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { buildModel } from "../../../../keepers/src/training/models/built-in.ts";
import type { OnnxModel } from "../../../../keepers/src/training/onnx/types.ts";
import { writeOnnx } from "../../../../keepers/src/training/onnx/write.ts";
import { digitsConfig, limits } from "./scene.ts";

const datasetId: Hex = `0x${"d1".repeat(32)}`;
const modelId: Hex = `0x${"0e".repeat(32)}`;

/** The model of the digits, with another name for the weights of its first layer. */
function renamed(name: string): OnnxModel {
  const model = buildModel("mlp", { inputs: 64, hidden: [12], classes: 10, batch: 32 });
  const old = "fc1.weight";
  const inputs = model.graph.inputs.map((input) => (input.name === old ? { ...input, name } : input));
  const nodes = model.graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((input) => (input === old ? name : input)),
  }));
  return { ...model, graph: { ...model.graph, inputs, nodes } };
}

describe("the program of an order", () => {
  let folder: string;
  let digits: ObjectSequence;
  let storage: JobStorage;
  let modelBytes: Uint8Array;
  let described: DescribedOrder;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-program-"));
    const source = await readDigits();
    for await (const _ of source.objects());
    const format = source.format();
    digits = { ...source, datasetId, records: format.kind === "records" ? format : undefined };
    modelBytes = writeOnnx(buildModel("mlp", { inputs: 64, hidden: [12], classes: 10, batch: 32 }));
    storage = {
      objects: async () => digits,
      stream: async () => assert.fail("nothing is read as a stream here"),
      async folder({ target }) {
        await mkdir(target, { recursive: true });
        await writeFile(join(target, "model.onnx"), modelBytes);
      },
    };
    described = await describeWith(digitsConfig);
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const describeWith = (config: LoadedConfig, model?: Hex) =>
    describeOrder({
      consumer: `0x${"11".repeat(20)}`,
      config,
      dataset: digits,
      modelId: model,
      folder,
      executor: nativeExecutor,
      conditions: { maximumPrice: 1n },
      expiry: 1n,
    });

  let compiled = 0;
  const compile = (
    order: Pick<DescribedOrder, "order" | "training" | "package">,
    own = join(folder, `${++compiled}`),
  ) => compileJob(order, { storage, folder: own, limits });

  /** The order with another package, under the package's own digest. */
  const withPackage = (bytes: Uint8Array): DescribedOrder => {
    const { order } = described;
    const problem = { ...order.problem, programDigest: packageDigest(bytes) };
    return { ...described, order: { ...order, problem }, package: bytesToHex(bytes) };
  };

  /** The order with other training, under its own hash. */
  const withTraining = (change: Partial<TrainingOrder>): DescribedOrder => {
    const { order, trainingOrder } = described;
    const training = encodeOrder({ ...trainingOrder, ...change });
    const problem = { ...order.problem, trainingHash: keccak256(training) };
    return { ...described, order: { ...order, problem }, training };
  };

  const refuses = (field: string) => (error: unknown) =>
    error instanceof OrderRefusedError && error.field === field;

  it("is the same for everybody who compiles the package", async () => {
    const { order, compiled } = await compile(described);
    assert.deepEqual(order, described.trainingOrder);
    assert.equal(order.programRoot, described.order.problem.programRoot);
    assert.equal(compiled.program.state.length, described.order.problem.slots);
    const job = await openJob(await compile(described), { storage, folder, limits });
    assert.equal(job.source.count, 1_797);
    await job.close();
  });

  it("may be an ONNX file that an anchored dataset holds", async () => {
    const config = { ...digitsConfig, model: { kind: "onnx" as const, path: join(folder, "given.onnx") } };
    await writeFile(config.model.path, modelBytes);
    await assert.rejects(describeWith(config), /anchored dataset that holds its file/);
    const ordered = await describeWith(config, modelId);
    const own = join(folder, "own");
    assert.deepEqual((await compile(ordered, own)).compiled.program.state[0]!.layout.shape, [12, 64]);
    // Whoever serves another file serves another program.
    const right = modelBytes;
    modelBytes = writeOnnx(buildModel("mlp", { inputs: 64, hidden: [11], classes: 10, batch: 32 }));
    await assert.rejects(compile(ordered), refuses("programRoot"));
    modelBytes = new Uint8Array(40).fill(7);
    await assert.rejects(compile(ordered), refuses("model"));
    // What is here already needs nobody to serve it.
    assert.deepEqual((await compile(ordered, own)).compiled.program.state[0]!.layout.shape, [12, 64]);
    modelBytes = right;
  });

  it("is refused when package or training are not those that were committed to", async () => {
    await assert.rejects(compile({ ...described, package: "0x7b7d" }), refuses("package"));
    await assert.rejects(compile({ ...described, training: "0x00" }), refuses("training"));
  });

  it("is refused when the package gives another program than the order names", async () => {
    const own = decodePackage(hexToBytes(described.package));
    const optimizer = { ...own.optimizer, momentum: 1 };
    await assert.rejects(compile(withPackage(encodePackage({ ...own, optimizer }))), refuses("programRoot"));
    const unknown = { kind: "built-in" as const, name: "gpt", options: {} };
    await assert.rejects(compile(withPackage(encodePackage({ ...own, model: unknown }))), refuses("package"));
    const vast = { kind: "built-in" as const, name: "mlp", options: { hidden: [-1] } };
    await assert.rejects(compile(withPackage(encodePackage({ ...own, model: vast }))), refuses("package"));
    await assert.rejects(compile(withPackage(new TextEncoder().encode("{}"))), refuses("package"));
  });

  it("is refused before memory is taken for it that is not there", async () => {
    const own = decodePackage(hexToBytes(described.package));
    const model = {
      kind: "built-in" as const,
      name: "mlp",
      options: { inputs: 64, hidden: [20_000, 60_000], batch: 32 },
    };
    await assert.rejects(compile(withPackage(encodePackage({ ...own, model }))), ModelTooLargeError);
  });

  it("attack: is refused before weights in its file are taken for which there is no memory", async () => {
    const config = { ...digitsConfig, model: { kind: "onnx" as const, path: join(folder, "heavy.onnx") } };
    const right = modelBytes;
    const model = buildModel("mlp", { inputs: 64, hidden: [4096], classes: 10, batch: 32 });
    const [data, ...parameters] = model.graph.inputs;
    const initializers = parameters.map(({ name, shape }) => {
      const sizes = shape as number[];
      const elements = sizes.reduce((product, size) => product * size, 1);
      return [name, { dtype: "float32", shape: sizes, data: new Float32Array(elements) }] as const;
    });
    const graph = { ...model.graph, inputs: [data!], initializers: new Map(initializers) };
    modelBytes = writeOnnx({ ...model, graph });
    await writeFile(config.model.path, modelBytes);
    const ordered = await describeWith(config, modelId);
    const within = (memoryBytes: number) =>
      compileJob(ordered, {
        storage,
        folder: join(folder, `heavy-${memoryBytes}`),
        limits: { ...limits, memoryBytes },
      });
    // 1.2 MB of weights: the file is refused, then the training, then nothing.
    await assert.rejects(within(2 ** 22), refuses("model"));
    await assert.rejects(within(2 ** 23), ModelTooLargeError);
    assert.equal((await within(limits.memoryBytes)).compiled.program.state[0]!.initializer.kind, "given");
    modelBytes = right;
  });

  it("attack: is refused where it reads behind the end of its objects, of which nobody could be convicted", async () => {
    const { objectBytes } = described.trainingOrder;
    await assert.rejects(compile(withTraining({ objectBytes: objectBytes - 1 })), refuses("objectBytes"));
  });

  it("attack: is refused with more steps or intervals than memory and logs of its provider hold, and not ordered", async () => {
    const tooMany: [Partial<TrainingOrder>, RegExp][] = [
      [{ steps: jobLimits.steps + 1, interval: 96 }, /has 4000000 steps at most, not 4000001/],
      [{ steps: jobLimits.steps, interval: 7 }, /has 500000 intervals at most, not 571429/],
    ];
    for (const [change, message] of tooMany) {
      const order = withTraining(change);
      await assert.rejects(
        compile(order),
        (error) => refuses("training")(error) && message.test(String(error)),
      );
      const config = { ...digitsConfig, epochs: undefined, steps: change.steps, interval: change.interval! };
      await assert.rejects(describeWith(config), message);
    }
    const most = { steps: jobLimits.steps, interval: leastInterval(jobLimits.steps) };
    assert.equal((await compile(withTraining(most))).order.steps, jobLimits.steps);
  });

  it("attack: is refused where the folder of its run would not give it back, and not ordered", async () => {
    const config = { ...digitsConfig, model: { kind: "onnx" as const, path: join(folder, "renamed.onnx") } };
    const right = modelBytes;
    modelBytes = writeOnnx(renamed("w".repeat(248)));
    await writeFile(config.model.path, modelBytes);
    await assert.rejects(describeWith(config, modelId), /no program: .*name/);
    // Whoever writes the order by hand does not ask.
    const { order } = described;
    const model = { kind: "onnx" as const, datasetId: modelId };
    const bytes = encodePackage({ ...decodePackage(hexToBytes(described.package)), model });
    const named = { ...order, problem: { ...order.problem, programDigest: packageDigest(bytes) } };
    await assert.rejects(
      compile({ ...described, order: named, package: bytesToHex(bytes) }),
      (error) => refuses("package")(error) && /name/.test(String(error)),
    );
    modelBytes = writeOnnx(renamed("w".repeat(247)));
    await writeFile(config.model.path, modelBytes);
    await compile(await describeWith(config, modelId));
    modelBytes = right;
  });

  it("is refused when the first state is not the one that the seed gives", async () => {
    await assert.rejects(compile(withTraining({ seed: `0x${"77".repeat(32)}` })), refuses("initialRoot"));
    await assert.rejects(
      compile(withTraining({ initialRoot: `0x${"77".repeat(32)}` })),
      refuses("initialRoot"),
    );
  });

  it("is refused when counts of nodes, the witness or the dataset contradict the program", async () => {
    const { order } = described;
    const wrong: [string, Partial<typeof order.problem>][] = [
      ["nodeCounts", { nodeCounts: [1, 2, 3] }],
      ["witnessNode", { witnessNode: 0 }],
      ["slots", { slots: 99 }],
      ["datasetId", { datasetId: modelId }],
      ["programRoot", { programRoot: modelId }],
    ];
    for (const [field, change] of wrong) {
      const problem = { ...order.problem, ...change };
      await assert.rejects(compile({ ...described, order: { ...order, problem } }), refuses(field), field);
    }
  });

  it("is not opened with other objects than the order's", async () => {
    const job = await compile(described);
    const open = (objects: () => AsyncIterable<Uint8Array>) =>
      openJob(job, {
        storage: { ...storage, objects: async () => ({ ...digits, objects }) },
        folder,
        limits,
      });
    const tampered = async function* () {
      let index = 0;
      for await (const object of digits.objects()) {
        const copy = object.slice();
        if (index++ === 1_000) copy[3] = copy[3]! ^ 1;
        yield copy;
      }
    };
    await assert.rejects(open(tampered), refuses("training"));
    const none = async function* (): AsyncGenerator<Uint8Array> {};
    await assert.rejects(open(none), /empty/);
  });
});
