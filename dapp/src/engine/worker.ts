import "../network/no-eval.ts";
import type { OpenModels } from "./models.ts";
import { type Port, serve } from "./serve.ts";

let opened: Promise<OpenModels> | undefined;

/** What is open; its code, as that of every other method, is loaded when it is first asked for. */
function models(): Promise<OpenModels> {
  opened ??= import("./models.ts").then(({ OpenModels }) => new OpenModels());
  return opened;
}

serve(globalThis as unknown as Port, {
  encodeDataset: async (input, context) => (await import("./encode.ts")).encodeDataset(input, context),
  compileModel: async (input) => (await import("./compile.ts")).compileModel(input),
  openModel: async (input, context) => (await models()).open(input, context),
  evaluate: async (input, context) => (await models()).evaluate(input, context),
  predict: async (input) => (await models()).predict(input),
  closeModel: async (input) => (await models()).close(input),
  verifyInterval: async (input, context) => (await import("./verify.ts")).verifyInterval(input, context),
});
