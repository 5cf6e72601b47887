import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { colourShape } from "../../dapp/src/order/colours.ts";
import { checkForm, firstForm, type OrderForm } from "../../dapp/src/order/form.ts";
import type { OrderedDataset } from "../../dapp/src/order/read-dataset.ts";
import { configOf, factsOf, verdictInput } from "../../dapp/src/order/recipe.ts";
import { resolveRecipe } from "../../keepers/src/training/config/resolve.ts";

const zero = `0x${"00".repeat(32)}` as const;

/** A dataset of images of this shape, of unsigned bytes, each with a label before it. */
function images(shape: number[]): OrderedDataset {
  const size = shape.reduce((product, each) => product * each, 1);
  const fields = [
    { name: "label", dtype: "u8", shape: [], offset: 0, role: "label" },
    { name: "image", dtype: "u8", shape, offset: 1, role: "input" },
  ];
  const manifest = { name: "images", format: { kind: "records", recordSize: size + 1, fields } };
  return {
    datasetId: `0x${"12".repeat(32)}`,
    manifest: manifest as unknown as OrderedDataset["manifest"],
    objectCount: 100,
    objectSize: size + 1,
    objectRoot: zero,
  };
}

function formOf(changes: Partial<OrderForm>) {
  const checked = checkForm({ ...firstForm, datasetId: zero, scale: "8", ...changes });
  assert.ok("form" in checked, JSON.stringify(checked));
  return checked.form;
}

function recipeOf(dataset: OrderedDataset, changes: Partial<OrderForm>) {
  return resolveRecipe(configOf(formOf(changes), dataset, undefined), factsOf(dataset));
}

describe("an order of a model of images", () => {
  it("says of images with colours where these lie, as the form does", () => {
    const together = recipeOf(images([8, 6, 3]), { model: "residual-cnn", layout: "NHWC" });
    assert.deepEqual([together.input.shape, together.input.layout], [[8, 6, 3], "NHWC"]);
    const options = { channels: 3, height: 8, width: 6, classes: 10, batch: 32 };
    assert.deepEqual(together.model, { kind: "built-in", name: "residual-cnn", options });
    const apart = recipeOf(images([3, 8, 6]), { model: "residual-cnn", layout: "NCHW" });
    assert.deepEqual([apart.input.shape, apart.input.layout], [[3, 8, 6], "NCHW"]);
    assert.deepEqual(apart.model, together.model);
  });

  it("asks for it only where there are colours", () => {
    assert.deepEqual(colourShape(images([8, 6, 3])), [8, 6, 3]);
    assert.equal(colourShape(images([8, 8])), undefined);
    const grey = recipeOf(images([8, 8]), { model: "residual-cnn" });
    assert.deepEqual([grey.input.shape, grey.input.layout], [[1, 8, 8], "NCHW"]);
  });

  it("takes images with colours as rows of numbers where the model does", () => {
    const { input } = recipeOf(images([8, 6, 3]), { model: "mlp" });
    assert.deepEqual([input.shape, input.layout], [[144], "flat"]);
  });

  it("has a model of the consumer's own compiled for images first, and then for rows", () => {
    const given = verdictInput(formOf({ model: "onnx", layout: "NHWC" }), images([8, 6, 3]), new Blob());
    const inputs = given.input as unknown as { shape: number[]; layout: string }[];
    assert.deepEqual(
      inputs.map(({ shape, layout }) => [shape, layout]),
      [
        [[8, 6, 3], "NHWC"],
        [[144], "flat"],
      ],
    );
  });
});
