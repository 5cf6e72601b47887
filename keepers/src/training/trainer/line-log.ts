import { type FileHandle, open, readFile } from "node:fs/promises";
import { CannotWriteRunError } from "../files.ts";

/**
 * A file of JSON lines that only grows. A line that a crash cut off is left out when the file is read, and overwritten
 * when the log goes on.
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
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    const values: T[] = [];
    // What follows the last line feed is no whole line.
    for (const line of text.split("\n").slice(0, -1)) {
      const value = parse(parseJson(line));
      if (value === undefined) break;
      values.push(value);
    }
    return values;
  }

  /**
   * Opens the file to go on after its first `lines` lines, which must be whole; the rest is cut off.
   *
   * @throws CannotWriteRunError
   */
  static async open<T>(path: string, lines: number): Promise<LineLog<T>> {
    try {
      const file = await open(path, lines === 0 ? "w" : "r+");
      if (lines > 0) {
        const bytes = await file.readFile();
        let end = 0;
        for (let line = 0; line < lines; line++) end = bytes.indexOf(0x0a, end) + 1;
        await file.truncate(end);
        await file.close();
        return new LineLog<T>(path, await open(path, "a"));
      }
      return new LineLog<T>(path, file);
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

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
