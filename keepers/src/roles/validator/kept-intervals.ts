import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { decodeState, encodeState, stateFileBytes } from "../../core/exact/result-files.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { writeWhole } from "../../training/files.ts";

const [prefix, suffix] = ["before-", ".state"];

/** The state before an interval, as a member has found it: what it would answer an accusation from. */
function fileOf(folder: string, interval: number): string {
  return join(folder, `${prefix}${interval}${suffix}`);
}

/** Keeps the state before an interval. @param folder of the job */
export async function keepState(
  folder: string,
  interval: number,
  program: Program,
  state: readonly Int32Array[],
): Promise<void> {
  await writeWhole(fileOf(folder, interval), encodeState(program, state));
}

/** The state that was kept; undefined when there is none. */
export async function keptState(
  folder: string,
  interval: number,
  program: Program,
): Promise<Int32Array[] | undefined> {
  const bytes = await readFile(fileOf(folder, interval)).catch(() => undefined);
  return bytes?.length === stateFileBytes(program) ? decodeState(program, bytes) : undefined;
}

/** Forgets all that were kept of a job, once nothing can be accused any more. */
export async function forgetStates(folder: string): Promise<void> {
  for (const name of await namesIn(folder))
    if (name.startsWith(prefix) && name.endsWith(suffix)) await rm(join(folder, name), { force: true });
}

/** Jobs that have a folder of their own. @param folder of all jobs */
export async function jobsIn(folder: string): Promise<bigint[]> {
  return (await namesIn(folder)).flatMap((name) => (/^[1-9][0-9]*$/.test(name) ? [BigInt(name)] : []));
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}
