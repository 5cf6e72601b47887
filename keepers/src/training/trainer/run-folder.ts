import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { bytesToHex, getAddress, type Hex } from "viem";
import { z } from "zod";
import type { LearningRecordDomain } from "../../core/exact/learning-record.ts";
import { type TrainingOrder, trainingHash } from "../../core/exact/order.ts";
import { programRoot } from "../../core/exact/tape/descriptor.ts";
import { programFromJson, programToJson } from "../../core/exact/tape/program.json.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { validateProgram } from "../../core/exact/tape/validate.ts";
import { writeWhole } from "../files.ts";
import { RunFolderError } from "./errors.ts";
import { hashSchema, orderSchema } from "./plan.ts";
import { longestRunFile, requireStorable } from "./program-file.ts";

/** Names in the folder of a run. */
export const runFiles = {
  run: "run.json",
  program: "program.json",
  secret: "secret",
  trace: "trace.jsonl",
  witnesses: "witnesses.jsonl",
  metrics: "metrics.jsonl",
  checkpoints: "checkpoints",
  report: "report.svg",
  model: "model.onnx",
} as const;

const runSchema = z.strictObject({
  format: z.literal("assay/run/v1"),
  trainingHash: hashSchema,
  order: orderSchema,
  /** Where the signatures of Proof-of-Learning records count. */
  domain: z.strictObject({
    chainId: z.int().min(0),
    verifyingContract: z.string().transform((text) => getAddress(text)),
  }),
  /** What the user wrote, with defaults; paths are absolute. */
  config: z.record(z.string(), z.unknown()),
});

/** The folder of a run, as it was made. */
export type RunFolder = {
  readonly path: string;
  readonly program: Program;
  readonly order: TrainingOrder;
  readonly trainingHash: Hex;
  readonly domain: LearningRecordDomain;
  readonly config: Readonly<Record<string, unknown>>;
  /** Salts the hashes of witnesses; whoever knows it can open them. */
  readonly secret: Hex;
};

/** Where a run's checkpoints lie. */
export function checkpointFolder({ path }: Pick<RunFolder, "path">): string {
  return join(path, runFiles.checkpoints);
}

/** Whether a run was begun in the folder. */
export function isRunFolder(path: string): boolean {
  return existsSync(join(path, runFiles.run));
}

export type CreateRunParameters = {
  path: string;
  program: Program;
  order: TrainingOrder;
  domain: LearningRecordDomain;
  config: Readonly<Record<string, unknown>>;
  /** What the salts of the trace come from, 32 bytes; random by default. */
  secret?: Hex;
};

/**
 * Makes the folder of a new run. `run.json` is written last: without it there is no run.
 *
 * @throws RunFolderError when there are files in the folder, BadInputError for a program that its file cannot hold,
 *   CannotWriteRunError
 */
export async function createRun({
  path,
  program,
  order,
  domain,
  config,
  secret = bytesToHex(randomBytes(32)),
}: CreateRunParameters): Promise<RunFolder> {
  await requireEmpty(path);
  requireStorable(program);
  await mkdir(join(path, runFiles.checkpoints), { recursive: true });
  await writeWhole(join(path, runFiles.program), `${JSON.stringify(programToJson(program))}\n`);
  await writeWhole(join(path, runFiles.secret), `${secret}\n`, 0o600);
  const hash = trainingHash(order);
  const run = { format: "assay/run/v1", trainingHash: hash, order, domain, config };
  await writeWhole(join(path, runFiles.run), `${JSON.stringify(run, null, 2)}\n`);
  return { path, program, order, domain, trainingHash: hash, config, secret };
}

/**
 * Opens a run that anybody may have made.
 *
 * @throws RunFolderError when the folder holds no run, or one whose parts do not belong together; VoidProgramError for a
 *   program that must not be run
 */
export async function openRun(path: string): Promise<RunFolder> {
  if (!isRunFolder(path)) {
    throw new RunFolderError(`${path} holds no run.`, { next: "Name the folder that `assay train` made." });
  }
  const parsed = runSchema.safeParse(await readJson(join(path, runFiles.run)));
  if (!parsed.success) throw damaged(path, runFiles.run);
  const { order, domain, config } = parsed.data;
  const program = programFromJson(await readJson(join(path, runFiles.program)));
  validateProgram(program);
  const ordered = program.bits === order.bits && program.microBatch === order.microBatch;
  if (!ordered || bytesToHex(programRoot(program)) !== order.programRoot) {
    throw damaged(path, runFiles.program);
  }
  if (trainingHash(order) !== parsed.data.trainingHash) throw damaged(path, runFiles.run);
  const secret = (await readFile(join(path, runFiles.secret), "utf8")).trim();
  if (!/^0x[0-9a-f]{64}$/.test(secret)) throw damaged(path, runFiles.secret);
  return {
    path,
    program,
    order,
    domain,
    config,
    trainingHash: parsed.data.trainingHash,
    secret: secret as Hex,
  };
}

async function requireEmpty(path: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  if (isRunFolder(path)) {
    throw new RunFolderError(`${path} holds a run already.`, {
      kept: "It was not touched.",
      next: "Go on with it by --resume, or name another folder with --out.",
    });
  }
  // What an interrupted start left has the names of a run's files alone.
  const own: readonly string[] = Object.values(runFiles);
  const foreign = names.find(
    (name) => !own.includes(name) && !name.endsWith(".tmp") && name !== "objects.spool",
  );
  if (foreign !== undefined) {
    throw new RunFolderError(`${path} is not empty: there is ${foreign} in it.`, {
      next: "Name another folder with --out.",
    });
  }
}

async function readJson(path: string): Promise<unknown> {
  const unreadable = (cause: unknown): never => {
    throw new RunFolderError(`${path} cannot be read.`, { cause });
  };
  const { size } = await stat(path).catch(unreadable);
  if (size > longestRunFile) throw new RunFolderError(`${path} is too long.`);
  const text = await readFile(path, "utf8").catch(unreadable);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RunFolderError(`${path} is damaged: it is not JSON.`, { cause });
  }
}

function damaged(path: string, file: string): RunFolderError {
  return new RunFolderError(`${join(path, file)} is damaged, or of another run.`, {
    next: "Restore the file from a copy, or train anew.",
  });
}
