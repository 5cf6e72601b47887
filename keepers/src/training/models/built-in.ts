import type { z } from "zod";
import { BadInputError } from "../../core/errors.ts";
import type { OnnxModel } from "../onnx/types.ts";
import { lenet5, lenet5Options } from "./lenet5.ts";
import { mlp, mlpOptions } from "./mlp.ts";
import { residualCnn, residualCnnOptions } from "./residual-cnn.ts";
import { softmaxRegression, softmaxRegressionOptions } from "./softmax-regression.ts";

/** A model by name: the schema of its options, each with a default, and what builds it from options of any origin. */
export type BuiltInModel<S extends z.ZodObject = z.ZodObject> = {
  options: S;
  /** @throws BadInputError that names the option. */
  build: (options: unknown) => OnnxModel;
};

export const builtInModels = {
  "softmax-regression": entry("softmax-regression", softmaxRegressionOptions, softmaxRegression),
  mlp: entry("mlp", mlpOptions, mlp),
  lenet5: entry("lenet5", lenet5Options, lenet5),
  "residual-cnn": entry("residual-cnn", residualCnnOptions, residualCnn),
} as const;

export type BuiltInModelName = keyof typeof builtInModels;

export const builtInModelNames = Object.keys(builtInModels) as readonly BuiltInModelName[];

/**
 * Builds a built-in model from a name and options that come from outside, such as a configuration file.
 * @throws BadInputError when there is no such model or its options are wrong.
 */
export function buildModel(name: string, options: unknown = {}): OnnxModel {
  if (!Object.hasOwn(builtInModels, name)) {
    throw new BadInputError(`there is no built-in model ${JSON.stringify(name)}`, {
      next: `Choose one of ${builtInModelNames.join(", ")}, or give the path of an ONNX file.`,
    });
  }
  return builtInModels[name as BuiltInModelName].build(options);
}

function entry<S extends z.ZodObject>(
  name: string,
  schema: S,
  build: (options: z.output<S>) => OnnxModel,
): BuiltInModel<S> {
  return {
    options: schema,
    build: (options) => {
      const parsed = schema.safeParse(options);
      if (parsed.success) return build(parsed.data);
      const issue = parsed.error.issues[0]!;
      const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
      throw new BadInputError(`options of the model ${name}: ${where}${issue.message}`, {
        next: `Its options are ${Object.keys(schema.shape).join(", ")}; each has a default.`,
      });
    },
  };
}
