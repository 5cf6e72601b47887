import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { bytesToHex } from "viem";
import type { Engine } from "../../../dapp/src/engine/client.ts";
import type { CompileInput } from "../../../dapp/src/engine/methods.ts";
import { programRoot } from "../../../keepers/src/core/exact/tape/descriptor.ts";
import { compileModel } from "../../../keepers/src/training/compiler/compile.ts";
import { estimateMemory } from "../../../keepers/src/training/executors/memory.ts";
import { readOnnx } from "../../../keepers/src/training/onnx/read.ts";
import { writeOnnx } from "../../../keepers/src/training/onnx/write.ts";
import { gemm, model } from "../../keepers/training/compiler/models.ts";
import { noBrowser } from "../support/browser.ts";
import { call, EnginePage, type Given } from "./support.ts";

const file = (given: string): Given => ({ given, as: "file" });

describe("the verdict on a model", { skip: noBrowser }, () => {
  let engines: EnginePage;
  let page: Page;
  let faults: readonly string[];

  before(async () => {
    engines = await EnginePage.open();
    ({ page, faults } = await engines.visit());
  });

  after(async () => {
    await engines?.[Symbol.asyncDispose]();
  });

  const images = {
    bits: 8,
    microBatch: 16,
    objectBytes: 785,
    microBatches: 2,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: 0,
      exponent: -8,
      layout: "NCHW",
      shape: [1, 28, 28],
    },
    target: { offset: 784, encoding: "u8", classes: 10 },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982 },
  } as const satisfies Omit<CompileInput, "model">;
  const vectors = {
    ...images,
    objectBytes: 6,
    input: { ...images.input, layout: "flat", shape: [5] },
    target: { ...images.target, offset: 5, classes: 3 },
  } as const satisfies Omit<CompileInput, "model">;
  const onnx = (given: string) => ({ kind: "onnx", file: file(given) }) as const;

  it("is Node's: root, parameters and cost", async () => {
    await engines.serveCopy("lenet5.onnx", join(import.meta.dirname, "../../fixtures/models/lenet5.onnx"));
    const { output, error } = await call(page, "compileModel", { ...images, model: onnx("lenet5.onnx") });
    assert.equal(error, undefined);
    assert.ok(output!.accepted);
    const given = readOnnx(await readFile(join(engines.folder, "given/lenet5.onnx")));
    const { program, parameters } = compileModel({ ...images, model: given });
    assert.equal(output.programRoot, bytesToHex(programRoot(program)));
    assert.deepEqual(
      output.parameters,
      parameters.map(({ name, onnxShape }) => ({ name, shape: onnxShape })),
    );
    assert.equal(output.parameterCount, 61_706);
    assert.equal(output.memoryBytes, estimateMemory(program, images).total);
    // Forward alone, LeNet-5 multiplies 416,520 numbers for a sample; backward at most twice as many again.
    const perSample = output.termsPerStep / 32;
    assert.ok(perSample > 2 * 416_520 && perSample < 3.5 * 416_520, `${perSample}`);
  });

  it("names the node that stands in the way", async () => {
    const refused = model([5], (graph, x, p) => [
      graph.op("Gemm", [graph.op("Sigmoid", [x], {}, { name: "squash" }), p(3, 5), p(3)], gemm),
      [3],
    ]);
    await engines.serve("sigmoid.onnx", writeOnnx(refused));
    const { output } = await call(page, "compileModel", { ...vectors, model: onnx("sigmoid.onnx") });
    assert.ok(output !== undefined && !output.accepted);
    assert.equal(output.operator, "Sigmoid");
    assert.match(output.node!, /squash/);
    assert.match(output.reason, /node "squash" \(Sigmoid\): the operator is not supported/);
    assert.match(output.next!, /Relu/);
  });

  it("says what is wrong with a damaged file, one that is too large, and a description that does not fit", async () => {
    const good = await readFile(join(import.meta.dirname, "../../fixtures/models/lenet5.onnx"));
    await engines.serve("cut.onnx", good.subarray(0, 1000));
    await engines.serve("text.onnx", "this is no model");
    const reason = async (input: Parameters<typeof call<"compileModel">>[2]) => {
      const { output, error } = await call(page, "compileModel", input);
      assert.equal(error, undefined);
      assert.ok(output !== undefined && !output.accepted);
      return output.reason;
    };
    assert.match(await reason({ ...images, model: onnx("cut.onnx") }), /not readable at byte \d+: /);
    assert.match(await reason({ ...images, model: onnx("text.onnx") }), /not readable|IR version|no graph/);
    await engines.serve("lenet5.onnx", good);
    assert.match(
      await reason({ ...images, model: onnx("lenet5.onnx"), target: { ...images.target, classes: 7 } }),
      /puts out 10 logits for 7 classes/,
    );
    const tooLarge = await page.evaluate(
      async (rest) => {
        const { engine } = globalThis as unknown as { engine: Engine };
        const piece = new Blob([new Uint8Array(2 ** 20)]);
        const model = { kind: "onnx", file: new Blob(new Array(513).fill(piece)) } as const;
        return await engine.call("compileModel", { ...rest, model });
      },
      images as Omit<CompileInput, "model">,
    );
    assert.ok(!tooLarge.accepted);
    assert.match(tooLarge.reason, /it has 537919488 bytes, more than 536870912/);
  });

  it("fails with its worker, and comes from another one afterwards", async () => {
    const outcome = await page.evaluate(
      async (rest) => {
        const { engine } = globalThis as unknown as { engine: Engine };
        const ask = () =>
          engine.call("compileModel", { ...rest, model: { kind: "built-in", name: "lenet5", options: {} } });
        const lost = ask().then(
          () => undefined,
          (error: Error & { next?: string }) => ({
            name: error.name,
            message: error.message,
            next: error.next,
          }),
        );
        engine.close();
        const aborted = new AbortController();
        aborted.abort(new Error("not needed any more"));
        const never = engine
          .call("closeModel", { model: 1 }, { signal: aborted.signal })
          .catch((error: Error) => error.message);
        return { lost: await lost, never: await never, again: (await ask()).accepted };
      },
      { ...images, microBatch: 64 } as Omit<CompileInput, "model">,
    );
    assert.equal(outcome.lost?.name, "EngineStoppedError");
    assert.match(outcome.lost!.next!, /Try again/);
    assert.equal(outcome.never, "not needed any more");
    assert.equal(outcome.again, true);
  });

  it("breaks nothing that the page's policy says", () => {
    assert.deepEqual(faults, []);
  });
});
