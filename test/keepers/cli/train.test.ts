import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { readDigits } from "../../../keepers/src/storage/readers/digits.ts";
import { gatherObjects } from "../../../keepers/src/training/data/gather.ts";
import { nativeExecutor } from "../../../keepers/src/training/executors/native.ts";
import { openRun } from "../../../keepers/src/training/trainer/run-folder.ts";
import { train } from "../../../keepers/src/training/trainer/train.ts";
import { dishonest } from "../training/trace/dishonest.ts";
import { assay } from "./terminal.ts";

const cwd = await mkdtemp(join(tmpdir(), "assay-cli-train-"));
after(() => rm(cwd, { recursive: true, force: true }));
const configs = join(import.meta.dirname, "../../../docs/guides/training");
const run = (argv: readonly string[], env = {}) => assay(argv, { cwd, env });
const lines = (out: string) =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function config(name: string, changes: object): Promise<string> {
  const least = {
    dataset: { source: "digits", split: { seed: 1, train: "4/5" } },
    input: { exponent: -4 },
    model: { kind: "mlp", hidden: [8] },
    steps: 30,
    learningRate: 0.05,
    interval: 4,
  };
  await writeFile(join(cwd, name), JSON.stringify({ ...least, ...changes }));
  return name;
}

describe("assay train", () => {
  it("reaches 97 % on the built-in digits in both profiles, and the exported model as much", async () => {
    const text = await readFile(join(configs, "digits.yaml"), "utf8");
    for (const profile of ["E8", "E16"]) {
      const file = `digits-${profile}.yaml`;
      await writeFile(join(cwd, file), text.replace("profile: E8", `profile: ${profile}`));
      const { code, out, err } = await run(["train", file, "--json"]);
      assert.equal(code, 0, err);
      const events = lines(out);
      const [done] = events.filter(({ event }) => event === "done");
      const { exact, float32 } = done!.validation as Record<
        string,
        { accuracy: number; samples: number; confusion: number[][] }
      >;
      assert.equal(exact!.samples, 360);
      assert.ok(exact!.accuracy >= 0.97, `${profile}: ${exact!.accuracy}`);
      assert.ok(Math.abs(exact!.accuracy - float32!.accuracy) <= 0.01);
      assert.equal(
        exact!.confusion.flat().reduce((sum, count) => sum + count, 0),
        360,
      );
      assert.equal(events.filter(({ event }) => event === "epoch").length, 30);
      const svg = await readFile(join(cwd, `digits-${profile}-run`, "report.svg"), "utf8");
      assert.match(svg, /<polyline/);
      assert.ok((await readFile(join(cwd, `digits-${profile}-run`, "model.onnx"))).length > 1000);
    }
  });

  it("puts out the same state on every engine, with any number of threads", async () => {
    await config("engines.json", { steps: 6, engine: "reference" });
    const roots = new Set<unknown>();
    for (const [i, options] of [
      [],
      ["--engine", "wasm"],
      ["--engine", "native", "--threads", "2"],
    ].entries()) {
      const { code, out, err } = await run([
        "train",
        "engines.json",
        "--out",
        `engine-${i}`,
        "--json",
        ...options,
      ]);
      assert.equal(code, 0, err);
      roots.add(lines(out).at(-1)!.stateRoot);
    }
    assert.equal(roots.size, 1);
  });

  it("goes on with a run only when it is told to, and only with the same training", async () => {
    await config("resume.json", {});
    assert.equal((await run(["train", "resume.json"])).code, 0);
    const refused = await run(["train", "resume.json"]);
    assert.equal(refused.code, 77);
    assert.match(refused.err, /holds a run already.*\n.*not touched.*\n.*--resume/);
    const first = await readFile(join(cwd, "resume-run", "trace.jsonl"), "utf8");
    await rm(join(cwd, "resume-run", "checkpoints", "000000000030.checkpoint"));
    const again = await run(["train", "resume.json", "--resume"]);
    assert.equal(again.code, 0, again.err);
    assert.match(again.out, /goes on after step 24/);
    assert.equal(await readFile(join(cwd, "resume-run", "trace.jsonl"), "utf8"), first);
    await config("resume.json", { learningRate: 0.06 });
    const other = await run(["train", "resume.json", "--resume"]);
    assert.equal(other.code, 77);
    assert.match(other.err, /another training/);
  });

  it("trains on files: CSV, IDX, objects of one size, with values as targets", async () => {
    const pixels = Uint8Array.from({ length: 96 * 4 }, (_, i) => (i * 53) & 0xff);
    const labels = Uint8Array.from({ length: 96 }, (_, i) => (pixels[4 * i]! > 127 ? 1 : 0));
    const row = (i: number) => [...pixels.subarray(4 * i, 4 * i + 4), labels[i]!];
    const rows = Array.from({ length: 96 }, (_, i) => row(i));
    await writeFile(join(cwd, "data.csv"), rows.map((cells) => `${cells.join(",")}\n`).join(""));
    await writeFile(join(cwd, "data.bin"), Uint8Array.from(rows.flat()));
    const header = (type: number[]) =>
      Uint8Array.from([0, 0, 8, type.length, ...type.flatMap((size) => [0, 0, 0, size])]);
    await writeFile(join(cwd, "x-images-idx3-ubyte"), Buffer.concat([header([96, 2, 2]), pixels]));
    await writeFile(join(cwd, "x-labels-idx1-ubyte.gz"), gzipSync(Buffer.concat([header([96]), labels])));
    const shared = { input: {}, target: { classes: 2 }, microBatch: 16, steps: 8, epochs: undefined };
    const raw = {
      input: { offset: 0, encoding: "u8", shape: [4] },
      target: { offset: 4, encoding: "u8", classes: 2 },
    };
    const roots = new Set<unknown>();
    for (const [name, changes] of [
      ["csv.json", { ...shared, dataset: "data.csv" }],
      ["idx.json", { ...shared, dataset: "x-images-idx3-ubyte" }],
      ["bin.json", { ...shared, ...raw, dataset: { source: "data.bin", objectBytes: 5 } }],
    ] as const) {
      await config(name, changes);
      const { code, out, err } = await run(["train", name, "--json"]);
      assert.equal(code, 0, `${name}: ${err}`);
      roots.add(lines(out).at(-1)!.stateRoot);
    }
    assert.equal(roots.size, 1, "the same objects give the same state, wherever they come from");
  });

  it("prints the schema of its configuration", async () => {
    const { code, out } = await run(["train", "--schema"]);
    assert.equal(code, 0);
    assert.ok("microBatch" in (JSON.parse(out) as { properties: object }).properties);
  });

  const wrong: [string, object, number, RegExp][] = [
    ["a micro-batch that is no power of two", { microBatch: 48 }, 78, /the key microBatch is refused/],
    [
      "a learning rate that rounds to nothing",
      { learningRate: 1e-6 },
      78,
      /the key learningRate is refused.*1\/65536/,
    ],
    ["a momentum of 1", { momentum: 1 }, 78, /the key momentum is refused/],
    ["a dataset that is not there", { dataset: "nowhere.csv" }, 69, /nowhere\.csv cannot be read/],
    [
      "labels outside the classes",
      { target: { classes: 9 } },
      65,
      /digits, object \d+: its label 9 is none of the 9 classes/,
    ],
    [
      "an input outside the object",
      { input: { offset: 10 } },
      78,
      /the key input is refused: it ends at byte 74/,
    ],
    [
      "a split that leaves nothing",
      { dataset: { source: "digits", split: { train: "1/1" } } },
      78,
      /dataset\.split\.train/,
    ],
    ["a batch larger than the data", { microBatch: 2048 }, 65, /do not fill one step/],
    ["lenet5 on small images", { model: { kind: "lenet5" } }, 78, /lenet5 takes images of 1 × 28 × 28/],
    ["a model that is not there", { model: { kind: "onnx", path: "nothing.onnx" } }, 78, /model\.path/],
    [
      "more memory than allowed",
      { model: { kind: "mlp", hidden: [4000, 1000] }, memoryMiB: 16 },
      65,
      /needs about [\d,]+ MiB/,
    ],
  ];
  for (const [what, changes, code, message] of wrong) {
    it(`refuses ${what} before anything is trained`, async () => {
      await config("wrong.json", changes);
      const refused = await run(["train", "wrong.json", "--out", "wrong-run"]);
      assert.equal(refused.code, code, refused.err);
      assert.match(refused.err.replaceAll("\n", " "), new RegExp(message.source, "i"));
      assert.match(refused.err, /What to do next/);
    });
  }

  it("refuses floating-point inputs, NaN among them", async () => {
    await writeFile(join(cwd, "float.csv"), "0.5,1\n0.25,0\n");
    await config("float.json", { dataset: "float.csv", target: { classes: 2 } });
    const float = await run(["train", "float.json"]);
    assert.equal(float.code, 78);
    assert.match(float.err, /floating-point \(f32\)/);
    await writeFile(join(cwd, "nan.csv"), "1,1\nnan,0\n");
    await config("nan.json", {
      dataset: { source: "nan.csv", csv: { header: false } },
      target: { classes: 2 },
    });
    const nan = await run(["train", "nan.json"]);
    assert.equal(nan.code, 65);
    assert.match(nan.err, /nan\.csv, line 2/);
  });
});

describe("assay replay", () => {
  it("ends with 0 on an honest run, and with 1 on one with a flipped bit, whose step, node and element it names", async () => {
    const every = join(configs, "every-step.yaml");
    const trained = await run(["train", every, "--out", "honest"]);
    assert.equal(trained.code, 0, trained.err);
    const honest = await run(["replay", "honest"]);
    assert.equal(honest.code, 0, honest.err);
    assert.match(honest.out, /40 intervals: every bit as the trace says/);
    assert.equal((await run(["replay", "honest", "--interval", "17", "--engine", "wasm"])).code, 0);

    await cp(join(cwd, "honest"), join(cwd, "false"), { recursive: true });
    for (const name of ["trace.jsonl", "witnesses.jsonl", "metrics.jsonl", "checkpoints"])
      await rm(join(cwd, "false", name), { recursive: true });
    await mkdir(join(cwd, "false", "checkpoints"));
    const claim = await openRun(join(cwd, "false"));
    const { source } = await gatherObjects(await readDigits(), {
      spool: join(cwd, "spool"),
      memoryBytes: 2 ** 20,
    });
    const options = { objectBytes: 65, microBatches: 1 };
    const flip = { afterStep: 23, slot: 0, element: 77, bit: 3 };
    const session = await dishonest(nativeExecutor, flip).open(claim.program, options);
    await train({ run: claim, session, source, checkpoint: { every: 1 } });
    await session.close();

    const found = await run(["replay", "false"]);
    assert.equal(found.code, 1, found.err);
    assert.match(found.out, /interval 23 differs/);
    assert.match(found.out, /step +23\n/);
    assert.match(found.out, /node +optimiser tape, node \d+ \(SGD_WEIGHT\), fc1\.weight/);
    assert.match(found.out, /element +77: claimed -?\d+·2\^-28, right is -?\d+·2\^-28/);
    assert.match(found.out, /finds the claim wrong from the opened leaves alone/);
    const json = await run(["replay", "false", "--interval", "23", "--json"]);
    assert.equal(json.code, 1);
    const [interval] = lines(json.out) as {
      difference: { element: { element: number; opening: { inputs: unknown[] } } };
    }[];
    assert.equal(interval!.difference.element.element, 77);
    assert.equal(interval!.difference.element.opening.inputs.length, 2);
    assert.equal(
      (await run(["replay", "false", "--interval", "30"])).code,
      0,
      "that claim is right in itself",
    );
  });

  it("refuses data that is not the run's, and folders that hold no run", async () => {
    assert.equal((await run(["replay", cwd])).code, 77);
    await writeFile(join(cwd, "own.csv"), "1,0\n2,1\n3,0\n4,1\n");
    await config("own.json", { dataset: "own.csv", target: { classes: 2 }, microBatch: 2, steps: 4 });
    assert.equal((await run(["train", "own.json"])).code, 0);
    await writeFile(join(cwd, "own.csv"), "1,0\n2,1\n3,0\n5,1\n");
    const other = await run(["replay", "own-run"]);
    assert.equal(other.code, 65);
    assert.match(other.err, /the run trained on 0x/);
  });

  it("signs records with the account's key, and notices a signature that is not the worker's", async () => {
    await config("signed.json", { steps: 8 });
    const env = { ASSAY_PRIVATE_KEY: `0x${"22".repeat(32)}` };
    assert.equal((await run(["train", "signed.json", "--sign"], env)).code, 0);
    const path = join(cwd, "signed-run", "trace.jsonl");
    const text = await readFile(path, "utf8");
    assert.equal([...text.matchAll(/"signature"/g)].length, 2);
    assert.equal((await run(["replay", "signed-run"])).code, 0);
    await writeFile(
      path,
      text.replace(/("signature":"0x)(..)/, (_, start, byte) => `${start}${byte === "11" ? "22" : "11"}`),
    );
    const forged = await run(["replay", "signed-run"]);
    assert.equal(forged.code, 1);
    assert.match(forged.out, /interval 0: the signature of its record is not the worker's/);
  });
});
