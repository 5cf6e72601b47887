import type { OrderForm } from "./form.ts";
import type { OrderedDataset } from "./read-dataset.ts";

/** The shape of a dataset's images when they have an axis for colours, of which nothing says which one it is. */
export function colourShape({ manifest: { format } }: Pick<OrderedDataset, "manifest">) {
  const shape =
    format.kind === "records" ? format.fields.find(({ role }) => role === "input")?.shape : undefined;
  return shape?.length === 3 ? shape : undefined;
}

/** Whether a model takes images as such, not as rows of numbers. */
export function takesImages(model: OrderForm["model"]): boolean {
  return model === "residual-cnn" || model === "lenet5" || model === "onnx";
}
