import { totalmem } from "node:os";
import { join } from "node:path";
import { exitCode } from "../../core/errors.ts";
import type { LoadedConfig } from "../../training/config/load-config.ts";
import { checkConfig } from "../../training/config/parse.ts";
import { DatasetError } from "../../training/data/errors.ts";
import { gatherObjects } from "../../training/data/gather.ts";
import { labelField } from "../../training/evaluate/target.ts";
import { describePlace } from "../../training/trace/place.ts";
import { type IntervalReplay, replay as replayRun } from "../../training/trace/replay.ts";
import { openRun, type RunFolder } from "../../training/trainer/run-folder.ts";
import type { CommandContext } from "../context.ts";
import { type EngineName, engineOf } from "../training/engines.ts";
import { openObjects } from "../training/open-dataset.ts";

export type ReplayOptions = { interval?: number; all?: boolean; engine?: EngineName; threads?: number };

const mebibyte = 2 ** 20;

/** `assay replay` */
export async function replay(
  context: CommandContext,
  folder: string,
  options: ReplayOptions,
): Promise<number> {
  const { output, signal } = context;
  const run = await openRun(context.path(folder));
  const config = checkConfig(run.config, "run.json") as LoadedConfig;
  const { source, objectRoot } = await gather(context, run, config);
  context.onClose(() => source.close());
  const { order } = run;
  if (objectRoot !== order.objectRoot) {
    throw new DatasetError(
      `The dataset has the root ${objectRoot}; the run trained on ${order.objectRoot}.`,
      {
        next: "Restore the data that the run was trained on.",
      },
    );
  }
  const { interval } = options;
  const replays: IntervalReplay[] = [];
  for await (const found of replayRun({
    run,
    executor: await engineOf(options.engine ?? config.engine),
    options: {
      objectBytes: order.objectBytes,
      microBatches: order.microBatches,
      threads: options.threads ?? config.threads,
      memoryLimit: memoryOf(config),
    },
    source,
    first: interval,
    end: interval === undefined ? undefined : interval + 1,
    signal,
    onStep: (done) => output.progress({ stage: "replay", done, total: order.steps, unit: "steps" }),
  })) {
    replays.push(found);
    if (output.json) output.event({ event: "interval", ...found }, "");
  }
  const wrong = replays.find(({ matches }) => !matches);
  const unsigned = replays.find(({ signatureHolds }) => signatureHolds === false);
  const matches = wrong === undefined && unsigned === undefined;
  output.event(
    { event: "done", intervals: replays.length, matches },
    [
      ...(wrong === undefined
        ? [
            `${replays.length} ${replays.length === 1 ? "interval" : "intervals"}: every bit as the trace says`,
          ]
        : describeWrong(run, wrong)),
      ...(unsigned === undefined
        ? []
        : [`interval ${unsigned.interval}: the signature of its record is not the worker's`]),
    ].join("\n"),
  );
  return matches ? exitCode.ok : exitCode.failure;
}

/** Bytes. The run may be a stranger's, who does not know how much this machine has. */
function memoryOf({ memoryMiB }: LoadedConfig): number {
  return Math.min(memoryMiB * mebibyte, totalmem());
}

async function gather(context: CommandContext, { path, program }: RunFolder, config: LoadedConfig) {
  const { output, signal } = context;
  return await gatherObjects(await openObjects(context, config.dataset), {
    spool: join(path, "replay.spool"),
    memoryBytes: memoryOf(config) / 4,
    label: labelField(program),
    signal,
    onProgress: (done, total) => output.progress({ stage: "read", done, total, unit: "objects" }),
  });
}

function describeWrong(
  { program }: RunFolder,
  { interval, claimed, found, difference }: IntervalReplay,
): string[] {
  const lines = [
    `interval ${interval} differs`,
    `  state root  claimed ${claimed.stateRoot}`,
    `              found   ${found.stateRoot}`,
  ];
  if (difference === undefined) return [...lines, "  its witnesses do not have the hash that the trace says"];
  const { firstStep, lastStep, element } = difference;
  if (firstStep !== lastStep) {
    return [
      ...lines,
      `  step        one of ${firstStep} to ${lastStep}: the run keeps no state in between`,
      "  A run with interval 1 and checkpoint.every 1 shows the step, the node and the element.",
    ];
  }
  lines.push(`  step        ${firstStep}`);
  if (element === undefined) return [...lines, "  The run keeps no tensor of this step that differs."];
  const { place, slot, element: index, judgement } = element;
  return [
    ...lines,
    `  node        ${describePlace(program, place)}${slot === undefined ? "" : `, ${slot}`}`,
    `  element     ${index}: claimed ${element.claimed.mantissa}·2^${element.claimed.exponent}, right is ${element.right.mantissa}·2^${element.right.exponent}`,
    `  opened      the reference ${judgement.right ? "does not rule on this element alone" : "finds the claim wrong from the opened leaves alone"}`,
  ];
}
