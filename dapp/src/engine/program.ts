import { compilePublished, type JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { OnnxError } from "../../../keepers/src/training/onnx/errors.ts";
import type { GivenProgram } from "./methods.ts";
import { onnxBytes } from "./model-file.ts";
import { memoryLimit } from "./runtime.ts";

/** The program of a published order, compiled and held against it. @throws OrderRefusedError, ModelTooLargeError */
export function openProgram({ published, onnx }: GivenProgram): Promise<JobProgram> {
  return compilePublished(published, { threads: 1, memoryBytes: memoryLimit }, async (datasetId) => {
    if (onnx === undefined) throw new OnnxError(`the file of the model, dataset ${datasetId}, was not given`);
    return await onnxBytes(onnx);
  });
}
