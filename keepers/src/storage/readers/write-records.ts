import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import type { DatasetFormat, Field, PackedFormat, RecordsFormat } from "../../core/dataset/format.ts";
import { fieldBytes } from "../../core/dataset/format.ts";
import { assertRelativePath } from "../../core/dataset/names.ts";
import { objectParts, type PackedEntry, parseIndex } from "../../core/dataset/packed.ts";
import { fieldOfRole, readField, swapBytes } from "../../core/dataset/records.ts";
import { AssayError, BadInputError, exitCode } from "../../core/errors.ts";
import { idxHeader } from "./idx.ts";
import { numberText } from "./numbers.ts";
import { reasonOf } from "./source.ts";

/** Objects `first` (included) to `end` (excluded) of a dataset, in order. */
export type ReadObjects = (first: number, end: number) => AsyncIterable<Uint8Array>;

export type WriteRecordsParameters = {
  format: DatasetFormat;
  objectSize: number;
  objectCount: number;
  /** Called with ranges; a packed dataset's index is asked for first. */
  objects: ReadObjects;
  /** Folder to make. It appears whole, at the end; it may exist when it is empty. */
  target: string;
};

export type WrittenFile = { path: string; bytes: number };

/** The folder cannot be written. */
export class CannotWriteError extends AssayError {
  override readonly name: string = "CannotWriteError";

  constructor(target: string, reason: string, cause?: unknown) {
    super(`${target} cannot be written: ${reason}.`, {
      exitCode: exitCode.cannotWrite,
      kept: "Nothing was changed.",
      next: "Name another folder, or free some space.",
      cause,
    });
  }
}

/**
 * Writes a dataset's records as files again: a folder's files, the file of lines, the CSV or IDX files, or
 * `records.bin` when the records came from no file. gzip is not restored.
 * @returns the files, relative to `target`.
 * @throws BadInputError when the record index is damaged or names a file outside the folder; CannotWriteError.
 */
export async function writeRecords(parameters: WriteRecordsParameters): Promise<WrittenFile[]> {
  const target = resolve(parameters.target);
  await assertFree(target);
  const staging = join(dirname(target), `.${randomUUID()}.partial`);
  try {
    await mkdir(staging, { recursive: true });
    const files = await writeInto({ ...parameters, target: staging });
    await rmdir(target).catch(() => undefined);
    await rename(staging, target);
    return files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new CannotWriteError(target, reasonOf(error), error);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function assertFree(target: string): Promise<void> {
  try {
    const there = await readdir(target);
    if (there.length > 0) throw new CannotWriteError(target, "there are files in it");
  } catch (error) {
    if (error instanceof CannotWriteError) throw error;
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      throw new CannotWriteError(target, reasonOf(error), error);
  }
}

async function writeInto(parameters: WriteRecordsParameters): Promise<WrittenFile[]> {
  const { format } = parameters;
  if (format.kind === "packed") return await writePacked(parameters, format);
  if (format.origin?.kind === "csv") return [await writeCsv(parameters, format, format.origin)];
  if (format.origin?.kind === "idx") return await writeIdx(parameters, format, format.origin.files);
  const file = await OutputFile.create(parameters.target, "records.bin");
  for await (const record of allObjects(parameters)) await file.write(record);
  return [await file.finish()];
}

async function writePacked(parameters: WriteRecordsParameters, format: PackedFormat): Promise<WrittenFile[]> {
  const entries: PackedEntry[] =
    format.file === null
      ? parseIndex(
          format,
          await readRange(parameters, format.index.offset, format.index.offset + format.index.length),
        )
      : [{ name: format.file, start: 0, end: format.index.offset }];
  const written: WrittenFile[] = [];
  let next = 0;
  let at = 0;
  let file: OutputFile | undefined;
  const advance = async () => {
    // Files of no bytes begin and end at the same place, so several may be due at once.
    while (true) {
      if (file !== undefined && at === entries[next]!.end) {
        written.push(await file.finish());
        file = undefined;
        next++;
      }
      if (file !== undefined || next === entries.length) return;
      file = await OutputFile.create(parameters.target, entries[next]!.name);
    }
  };
  try {
    await advance();
    for await (const object of parameters.objects(
      0,
      Math.ceil(format.index.offset / parameters.objectSize),
    )) {
      for (let from = 0; from < object.length && file !== undefined; ) {
        const part = object.subarray(from, from + entries[next]!.end - at);
        await file.write(part);
        from += part.length;
        at += part.length;
        await advance();
      }
    }
  } finally {
    await file?.close();
  }
  if (next < entries.length) throw tooFew(parameters);
  return written;
}

async function writeCsv(
  parameters: WriteRecordsParameters,
  format: RecordsFormat,
  origin: Extract<RecordsFormat["origin"], { kind: "csv" }>,
): Promise<WrittenFile> {
  const { delimiter, header, labelColumn } = origin;
  const input = fieldOfRole(format, "input");
  const label = labelColumn === null ? undefined : fieldOfRole(format, "label");
  const file = await OutputFile.create(parameters.target, origin.file);
  if (header !== null)
    await file.write(text(`${header.map((name) => quoted(name, delimiter)).join(delimiter)}\n`));
  for await (const record of allObjects(parameters)) {
    let cells = cellsOf(input, record);
    if (label !== undefined) {
      // Concatenated: a label may have more values than a call takes arguments.
      cells = cells.slice(0, labelColumn!).concat(cellsOf(label, record), cells.slice(labelColumn!));
    }
    await file.write(text(`${cells.join(delimiter)}\n`));
  }
  return await file.finish();
}

async function writeIdx(
  parameters: WriteRecordsParameters,
  { fields }: RecordsFormat,
  names: readonly string[],
): Promise<WrittenFile[]> {
  if (names.length !== fields.length || new Set(names).size !== names.length) {
    throw new BadInputError(`The dataset names ${names.length} IDX files for ${fields.length} fields.`);
  }
  const files = await Promise.all(names.map((name) => OutputFile.create(parameters.target, name)));
  for (const [i, field] of fields.entries()) await files[i]!.write(idxHeader(field, parameters.objectCount));
  for await (const record of allObjects(parameters)) {
    for (const [i, field] of fields.entries()) {
      const bytes = record.subarray(field.offset, field.offset + fieldBytes(field));
      await files[i]!.write(swapBytes(bytes, field.dtype));
    }
  }
  return await Promise.all(files.map((file) => file.finish()));
}

/** All objects; refuses a reader that gives another number of them or another size. */
async function* allObjects(parameters: WriteRecordsParameters): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const object of parameters.objects(0, parameters.objectCount)) {
    if (object.length !== parameters.objectSize) throw tooFew(parameters);
    count++;
    yield object;
  }
  if (count !== parameters.objectCount) throw tooFew(parameters);
}

async function readRange(
  { objects, objectSize }: WriteRecordsParameters,
  start: number,
  end: number,
): Promise<Uint8Array> {
  const parts = objectParts(objectSize, start, end);
  const bytes = new Uint8Array(end - start);
  let at = 0;
  let next = 0;
  for await (const object of objects(parts[0]!.object, parts.at(-1)!.object + 1)) {
    const part = parts[next++]!;
    bytes.set(object.subarray(part.start, part.end), at);
    at += part.end - part.start;
  }
  return bytes.subarray(0, at);
}

function tooFew({ objectCount, objectSize }: WriteRecordsParameters): BadInputError {
  return new BadInputError(`The dataset did not give its ${objectCount} objects of ${objectSize} bytes.`);
}

function cellsOf(field: Field, record: Uint8Array): string[] {
  return Array.from(readField(field, record), (value) => numberText(field.dtype, value));
}

/** A cell as it must stand in the file to be read as it is: readers take spaces off what is not quoted, and end rows at a bare CR. */
function quoted(cell: string, delimiter: string): string {
  return /["\r\n]/.test(cell) || cell.includes(delimiter) || cell !== cell.trim()
    ? `"${cell.replaceAll('"', '""')}"`
    : cell;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** A new file below a folder that only this call writes to; small writes are gathered. */
class OutputFile {
  readonly #handle: FileHandle;
  readonly #name: string;
  #parts: Uint8Array[] = [];
  #waiting = 0;
  #bytes = 0;

  private constructor(handle: FileHandle, name: string) {
    this.#handle = handle;
    this.#name = name;
  }

  static async create(folder: string, name: string): Promise<OutputFile> {
    assertRelativePath(name);
    const path = resolve(folder, ...name.split("/"));
    if (!path.startsWith(folder + sep))
      throw new BadInputError(`The file name ${JSON.stringify(name)} leads elsewhere.`);
    await mkdir(dirname(path), { recursive: true });
    return new OutputFile(await open(path, "wx"), name);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#parts.push(bytes);
    this.#waiting += bytes.length;
    this.#bytes += bytes.length;
    if (this.#waiting >= 256 * 1024) await this.#flush();
  }

  async finish(): Promise<WrittenFile> {
    await this.#flush();
    await this.#handle.sync();
    await this.close();
    return { path: this.#name, bytes: this.#bytes };
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #flush(): Promise<void> {
    const parts = this.#parts;
    this.#parts = [];
    this.#waiting = 0;
    if (parts.length > 0) await this.#handle.writeFile(Buffer.concat(parts));
  }
}
