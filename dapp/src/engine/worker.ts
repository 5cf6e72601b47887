import "../network/no-eval.ts";
import type { Curves } from "./curves.ts";
import type { FetchedJobs } from "./jobs.ts";
import type { OpenModels } from "./models.ts";
import { type Port, serve } from "./serve.ts";

type Opened = { readonly models: OpenModels; readonly jobs: FetchedJobs };

let opened: Promise<Opened> | undefined;

/** What is open; its code, as that of every other method, is loaded when it is first asked for. */
function open(): Promise<Opened> {
  opened ??= Promise.all([import("./models.ts"), import("./jobs.ts")]).then(
    ([{ OpenModels }, { FetchedJobs }]) => {
      const models = new OpenModels();
      return { models, jobs: new FetchedJobs(models) };
    },
  );
  return opened;
}

let curves: Promise<Curves> | undefined;

function openCurves(): Promise<Curves> {
  curves ??= import("./curves.ts").then(({ Curves }) => new Curves());
  return curves;
}

serve(globalThis as unknown as Port, {
  encodeDataset: async (input, context) => (await import("./encode.ts")).encodeDataset(input, context),
  uploadDataset: async (input, context) => (await import("./upload.ts")).uploadDataset(input, context),
  readBackDataset: async (input, context) => (await import("./read-back.ts")).readBackDataset(input, context),
  compileModel: async (input) => (await import("./compile.ts")).compileModel(input),
  describeOrder: async (input) => (await import("./describe.ts")).describeOrder(input),
  hashObjects: async (input, context) => (await import("./describe.ts")).hashObjects(input, context),
  openModel: async (input, context) => (await open()).models.open(input, context),
  evaluate: async (input, context) => (await open()).models.evaluate(input, context),
  predict: async (input) => (await open()).models.predict(input),
  readSample: async (input) => (await open()).models.readSample(input),
  exportModel: async (input) => (await open()).models.export(input),
  closeModel: async (input) => (await open()).models.close(input),
  verifyInterval: async (input, context) => (await import("./verify.ts")).verifyInterval(input, context),
  fetchJob: async (input, context) => (await open()).jobs.open(input, context),
  openCurve: async (input, context) => (await openCurves()).open(input, context),
  scoreStates: async (input, context) => (await openCurves()).score(input, context),
  verifyProofs: async ({ keys, claims }) => {
    const { falseUnder } = await import("../../../keepers/src/core/audit/claims.ts");
    return [...(await falseUnder(keys, claims))];
  },
  verifyJob: async (input, context) => (await open()).jobs.verify(input, context),
});
