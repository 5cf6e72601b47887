import { type AssayErrorOptions, BadInputError } from "../../core/errors.ts";

/** Remedy for most models that cannot be used. */
export const exportAgain =
  "Export the model again, for instance with torch.onnx.export(model, example, path, opset_version=17).";

/** A model whose bytes are no ONNX model, or one outside what is supported or the limits. */
export class OnnxError extends BadInputError {
  override readonly name: string = "OnnxError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(`ONNX model: ${message}`, { next: exportAgain, ...options });
  }
}
