import { buildModel } from "../../../keepers/src/training/models/built-in.ts";
import { OnnxError } from "../../../keepers/src/training/onnx/errors.ts";
import { defaultLimits } from "../../../keepers/src/training/onnx/limits.ts";
import { readOnnx } from "../../../keepers/src/training/onnx/read.ts";
import type { OnnxModel } from "../../../keepers/src/training/onnx/types.ts";
import type { GivenModel } from "./methods.ts";

/** The bytes of an ONNX file. @throws OnnxError for one that is too large, before it is read; what the browser throws */
export async function onnxBytes(file: Blob): Promise<Uint8Array> {
  if (file.size > defaultLimits.bytes)
    throw new OnnxError(`it has ${file.size} bytes, more than ${defaultLimits.bytes}`);
  return new Uint8Array(await file.arrayBuffer());
}

/** @throws OnnxError, BadInputError */
export async function modelOf(given: GivenModel): Promise<OnnxModel> {
  if (given.kind === "built-in") return buildModel(given.name, given.options);
  return readOnnx(await onnxBytes(given.file));
}
