import { type FileHandle, open } from "node:fs/promises";
import { CannotWriteRunError } from "../files.ts";

/** Bytes of a file that are in memory at a time. */
const chunkBytes = 2 ** 20;
/** Bytes of a line at most: what is longer is none of a run's. */
const longestLine = 2 ** 24;
const lineFeed = 0x0a;

/**
 * A file of JSON lines that only grows. A line that a crash cut off is left out when the file is read, and overwritten
 * when the log goes on. The file is never in memory as a whole: one string cannot hold that of a long run.
 */
export class LineLog<T> {
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** The values of a file, as far as they are whole and `parse` takes them; none when there is no file. */
  static async read<T>(path: string, parse: (value: unknown) => T | undefined): Promise<T[]> {
    const values: T[] = [];
    await LineLog.each(path, parse, (value) => {
      values.push(value);
    });
    return values;
  }

  /** Hands over the values of a file one after another, as {@link read} gives them, and keeps none. */
  static async each<T>(
    path: string,
    parse: (value: unknown) => T | undefined,
    take: (value: T) => void,
  ): Promise<void> {
    await eachLine(path, (line) => {
      const value = parse(parseJson(line));
      if (value === undefined) return false;
      take(value);
      return true;
    });
  }

  /** One value of a file, by its line from 0 on; no other line is looked at. */
  static async at<T>(
    path: string,
    index: number,
    parse: (value: unknown) => T | undefined,
  ): Promise<T | undefined> {
    let found: T | undefined;
    let at = 0;
    await eachLine(path, (line) => {
      if (at++ < index) return true;
      found = parse(parseJson(line));
      return false;
    });
    return found;
  }

  /**
   * Opens the file to go on after its first `lines` lines, which must be whole; the rest is cut off.
   *
   * @throws CannotWriteRunError
   */
  static async open<T>(path: string, lines: number): Promise<LineLog<T>> {
    try {
      if (lines === 0) return new LineLog<T>(path, await open(path, "w"));
      let left = lines;
      let end = 0;
      await eachLine(path, (line) => {
        end += line.length + 1;
        return --left > 0;
      });
      const file = await open(path, "r+");
      await file.truncate(end).finally(() => file.close());
      return new LineLog<T>(path, await open(path, "a"));
    } catch (error) {
      throw new CannotWriteRunError(path, error);
    }
  }

  /** @throws CannotWriteRunError */
  async append(value: T): Promise<void> {
    await this.#file.write(`${JSON.stringify(value)}\n`).catch((error: unknown) => {
      throw new CannotWriteRunError(this.#path, error);
    });
  }

  /** Makes what was appended durable. */
  async sync(): Promise<void> {
    await this.#file.sync().catch((error: unknown) => {
      throw new CannotWriteRunError(this.#path, error);
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/**
 * Hands over the bytes of each whole line of a file until `take` wants no more; they are its own until it returns. What follows
 * the last line feed is no whole line.
 */
async function eachLine(path: string, take: (line: Buffer) => boolean): Promise<void> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    let buffer = Buffer.allocUnsafe(chunkBytes);
    let held = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, held, buffer.length - held);
      if (bytesRead === 0) return;
      const bytes = buffer.subarray(0, held + bytesRead);
      let start = 0;
      for (let end = bytes.indexOf(lineFeed, held); end >= 0; end = bytes.indexOf(lineFeed, start)) {
        if (!take(bytes.subarray(start, end))) return;
        start = end + 1;
      }
      held = bytes.length - start;
      if (held > longestLine) return;
      const next = held < buffer.length ? buffer : Buffer.allocUnsafe(2 * buffer.length);
      bytes.copy(next, 0, start);
      buffer = next;
    }
  } finally {
    await file.close();
  }
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8"));
  } catch {
    return undefined;
  }
}
