import "../network/no-eval.ts";
import { compileModel } from "./compile.ts";
import { encodeDataset } from "./encode.ts";
import { OpenModels } from "./models.ts";
import { type Port, serve } from "./serve.ts";
import { verifyInterval } from "./verify.ts";

const models = new OpenModels();

serve(globalThis as unknown as Port, {
  encodeDataset,
  compileModel,
  openModel: (input, context) => models.open(input, context),
  evaluate: (input, context) => models.evaluate(input, context),
  predict: (input) => models.predict(input),
  closeModel: (input) => models.close(input),
  verifyInterval,
});
