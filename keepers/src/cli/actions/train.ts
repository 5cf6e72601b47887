import { mkdir, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { trainingHash } from "../../core/exact/order.ts";
import { isNamedDataset, type LoadedConfig, loadConfig } from "../../training/config/load-config.ts";
import { configJsonSchema } from "../../training/config/schema.ts";
import { type Evaluation, evaluateExact } from "../../training/evaluate/evaluate.ts";
import { evaluateFloat } from "../../training/evaluate/evaluate-float.ts";
import type { Executor } from "../../training/executors/types.ts";
import { exportModel } from "../../training/export/export.ts";
import { writeWhole } from "../../training/files.ts";
import { writeOnnx } from "../../training/onnx/write.ts";
import { trainingReport } from "../../training/report/report.ts";
import type { RecordSigner } from "../../training/trace/record.ts";
import { RunFolderError } from "../../training/trainer/errors.ts";
import { localDomain, newRun } from "../../training/trainer/new-run.ts";
import { type Prepared, prepare } from "../../training/trainer/prepare.ts";
import { isRunFolder, openRun, type RunFolder, runFiles } from "../../training/trainer/run-folder.ts";
import { type TrainingEvent, type TrainResult, train as trainRun } from "../../training/trainer/train.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { type EngineName, engineOf } from "../training/engines.ts";
import { openObjects } from "../training/open-dataset.ts";

export type TrainOptions = {
  out?: string;
  dataset?: string;
  resume?: boolean;
  engine?: EngineName;
  threads?: number;
  sign?: boolean;
  schema?: boolean;
};

/** `assay train` */
export async function train(
  context: CommandContext,
  file: string | undefined,
  options: TrainOptions,
): Promise<void> {
  if (options.schema === true) {
    context.output.result(configJsonSchema(), JSON.stringify(configJsonSchema(), null, 2));
    return;
  }
  if (file === undefined) throw new UsageError("the configuration is missing");
  const { dataset } = options;
  const source = dataset === undefined || isNamedDataset(dataset) ? dataset : context.path(dataset);
  const config = { ...(await loadConfig(context.path(file), source)), ...chosen(options) };
  const folder = context.path(options.out ?? `${basename(file).replace(/\.(ya?ml|json)$/i, "")}-run`);
  if (isRunFolder(folder) && options.resume !== true) await refuseExisting(folder);
  await mkdir(folder, { recursive: true });
  // What fails before the run begins leaves no empty folder; one with files in it is not removed.
  context.onClose(() => rmdir(folder).catch(() => undefined));
  const prepared = await prepare({
    config,
    folder,
    open: (dataset) => openObjects(context, dataset),
    signal: context.signal,
    onProgress: (done, total) => context.output.progress({ stage: "read", done, total, unit: "objects" }),
  });
  context.onClose(() => prepared.close());
  const executor = await engineOf(config.engine);
  const { program } = prepared.compiled;
  const session = await executor.open(program, prepared.options);
  context.onClose(() => session.close());
  const run =
    options.resume === true && isRunFolder(folder)
      ? await existingRun(folder, prepared)
      : await newRun({ path: folder, config, prepared, session });
  announce(context, run, prepared);
  const result = await trainRun({
    run,
    session,
    source: prepared.source,
    validate: validator(executor, prepared),
    checkpoint: { every: config.checkpoint.every ?? prepared.stepsPerEpoch, keep: config.checkpoint.keep },
    signer: options.sign === true ? await signerOf(context) : undefined,
    signal: context.signal,
    onEvent: (event) => tell(context, event),
  });
  await finish(context, { run, prepared, executor, result });
}

function chosen({ engine, threads }: TrainOptions): Partial<LoadedConfig> {
  return { ...(engine !== undefined && { engine }), ...(threads !== undefined && { threads }) };
}

async function refuseExisting(folder: string): Promise<never> {
  throw new RunFolderError(`${folder} holds a run already.`, {
    kept: "It was not touched.",
    next: "Go on with it by --resume, or name another folder with --out.",
  });
}

async function existingRun(folder: string, { order }: Prepared): Promise<RunFolder> {
  const run = await openRun(folder);
  const { interval } = run.order;
  if (trainingHash({ ...order, interval }) === run.trainingHash) return run;
  throw new RunFolderError(`${folder} holds another training than the configuration describes.`, {
    kept: "It was not touched.",
    next: `Give the configuration that ${join(folder, runFiles.run)} holds, or name another folder with --out.`,
  });
}

async function signerOf(context: CommandContext): Promise<RecordSigner> {
  return { account: await context.account(), domain: localDomain };
}

function validator(executor: Executor, { compiled, validation, options }: Prepared) {
  if (validation === undefined) return undefined;
  return async (state: readonly Int32Array[]) => {
    const { loss, accuracy } = await evaluateExact(executor, compiled.program, state, validation, options);
    return { loss, accuracy };
  };
}

function announce(
  { output }: CommandContext,
  { path, order, trainingHash: hash }: RunFolder,
  prepared: Prepared,
): void {
  const { parameters } = prepared.compiled;
  const weights = parameters.reduce((sum, { onnxShape }) => sum + onnxShape.reduce((a, b) => a * b, 1), 0);
  const document = { event: "run", folder: path, trainingHash: hash, order, weights };
  output.event(
    document,
    [
      `run        ${path}`,
      `training   ${hash}`,
      `program    ${order.programRoot}, E${order.bits}, ${weights} weights`,
      `data       ${order.train} of ${order.objects} objects of ${prepared.name}, root ${order.objectRoot}`,
      `steps      ${order.steps} of ${order.microBatches} × ${order.microBatch} objects, a state root every ${order.interval}`,
      `rates      ${describeRates(order.schedule.table)}; each integer over 65536`,
    ].join("\n"),
  );
}

function describeRates(table: readonly number[]): string {
  const distinct = table.filter((rate, i) => i === 0 || rate !== table[i - 1]);
  const shown =
    distinct.length <= 8 ? distinct.join(", ") : `${distinct.slice(0, 4).join(", ")}, … ${distinct.at(-1)}`;
  return `learning rate ${shown}`;
}

function tell({ output }: CommandContext, event: TrainingEvent): void {
  const { kind, ...rest } = event;
  if (kind === "resumed") {
    for (const { message } of event.damaged) output.note(message);
    const damaged = event.damaged.map(({ message }) => message);
    output.event({ event: kind, step: event.step, damaged }, `goes on after step ${event.step}`);
  } else if (kind === "steps") {
    if (output.json) output.event({ event: kind, ...rest }, "");
    else output.progress({ stage: "train", done: event.step, total: event.of, unit: "steps" });
  } else if (kind === "epoch") {
    output.event({ event: kind, ...rest }, describeEpoch(event));
  } else if (output.json) {
    output.event({ event: kind, ...rest }, "");
  } else output.detail(`checkpoint after step ${event.step}: ${event.path}`);
}

function describeEpoch({
  epoch,
  training,
  validation,
  seconds,
}: Extract<TrainingEvent, { kind: "epoch" }>): string {
  const score = ({ loss, accuracy }: { loss: number; accuracy?: number }) =>
    `loss ${loss.toFixed(4)}${accuracy === undefined ? "" : `, ${percent(accuracy)}`}`;
  const checked = validation === undefined ? "" : `   validation ${score(validation)}`;
  return `epoch ${String(epoch).padStart(3)}   training ${score(training)}${checked}   ${seconds.toFixed(1)} s`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

type Finished = { run: RunFolder; prepared: Prepared; executor: Executor; result: TrainResult };

async function finish(context: CommandContext, { run, prepared, executor, result }: Finished): Promise<void> {
  const { compiled, validation, options, stepsPerEpoch, name } = prepared;
  const { program } = compiled;
  const onnx = writeOnnx(exportModel(compiled, result.state));
  const model = join(run.path, runFiles.model);
  const report = join(run.path, runFiles.report);
  await writeWhole(model, onnx);
  await writeWhole(
    report,
    trainingReport({ name, stepsPerEpoch, chunks: result.steps, epochs: result.epochs }),
  );
  let exact: Evaluation | undefined;
  let float32: Evaluation | undefined;
  if (validation !== undefined) {
    exact = await evaluateExact(executor, program, result.state, validation, options);
    float32 = await evaluateFloat(await import("onnxruntime-node"), onnx, program, validation);
  }
  const { stateRoot, traceRoot, resumedFrom } = result;
  const lines = [
    `state      ${stateRoot}`,
    `trace      ${traceRoot}`,
    ...(exact === undefined ? [] : [`exact      ${describeEvaluation(exact)}`]),
    ...(float32 === undefined ? [] : [`float32    ${describeEvaluation(float32)}`]),
    ...(exact?.confusion === undefined ? [] : describeConfusion(exact.confusion)),
    `model      ${model}`,
    `report     ${report}`,
  ];
  const validationResult = { exact, float32 };
  context.output.event(
    { event: "done", stateRoot, traceRoot, resumedFrom, validation: validationResult, model, report },
    lines.join("\n"),
  );
}

function describeEvaluation({ samples, loss, accuracy }: Evaluation): string {
  return `${accuracy === undefined ? "" : `${percent(accuracy)}, `}loss ${loss.toFixed(4)} on ${samples} samples`;
}

/** More classes than this do not fit a terminal. */
const mostClasses = 20;

function describeConfusion(confusion: readonly (readonly number[])[]): string[] {
  if (confusion.length > mostClasses) return [];
  const width = Math.max(4, ...confusion.flat().map((count) => String(count).length + 1));
  const row = (cells: readonly (number | string)[]) =>
    cells.map((cell) => String(cell).padStart(width)).join("");
  return [
    "confusion, a row for each label:",
    `      ${row(confusion.map((_, i) => i))}`,
    ...confusion.map((counts, label) => `${String(label).padStart(6)}${row(counts)}`),
  ];
}
