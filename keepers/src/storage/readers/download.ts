import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { AssayError, exitCode } from "../../core/errors.ts";
import { readBytes, unzip } from "./bytes.ts";
import { reasonOf } from "./source.ts";

export type DownloadParameters = {
  /** Addresses of the same file; the next one is tried when one fails. */
  urls: readonly string[];
  /** SHA-256 of the unpacked file, hexadecimal. */
  sha256: string;
  /** Most unpacked bytes. */
  maxBytes: number;
  /** Where the unpacked file is put; nothing stands there until it was checked. */
  target: string;
  /** Milliseconds for each address. */
  timeout?: number;
  fetch?: typeof globalThis.fetch;
};

/** No address gave the file. */
export class DownloadError extends AssayError {
  override readonly name: string = "DownloadError";

  constructor(failures: readonly string[]) {
    super(`The file could not be downloaded: ${failures.join("; ")}.`, {
      exitCode: exitCode.unavailable,
      kept: "Nothing was written.",
      next: "Check the network, name another mirror, or put the files into a folder and set ASSAY_DATA to it.",
    });
  }
}

/** Whether a file holds the bytes with this SHA-256; false when it is absent, damaged or longer than `maxBytes`. */
export async function hasSha256(path: string, sha256: string, maxBytes: number): Promise<boolean> {
  const hash = createHash("sha256");
  try {
    for await (const piece of readBytes(path, { maxBytes })) hash.update(piece);
  } catch (error) {
    if (error instanceof AssayError) return false;
    throw error;
  }
  return hash.digest("hex") === sha256;
}

/**
 * Downloads a file from the first address that gives the right bytes, unpacking it when it is gzip (by its first bytes),
 * and checks it before it appears.
 * @throws DownloadError that says why each address failed.
 */
export async function download(parameters: DownloadParameters): Promise<void> {
  const { urls, target } = parameters;
  await mkdir(dirname(target), { recursive: true });
  const partial = `${target}.${randomUUID()}.partial`;
  const failures: string[] = [];
  try {
    for (const url of urls) {
      const failure = await tryOne(url, partial, parameters);
      if (failure === null) return await rename(partial, target);
      failures.push(`${url}: ${failure}`);
    }
  } finally {
    await rm(partial, { force: true });
  }
  throw new DownloadError(failures.length === 0 ? ["no address was given"] : failures);
}

/** Null when the file is in place, else why not. */
async function tryOne(url: string, partial: string, parameters: DownloadParameters): Promise<string | null> {
  const { sha256, maxBytes, timeout = 300_000, fetch = globalThis.fetch } = parameters;
  const file = await open(partial, "w");
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeout), redirect: "follow" });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return `it answered ${response.status}`;
    }
    const hash = createHash("sha256");
    let total = 0;
    for await (const piece of unpacked(response.body as unknown as AsyncIterable<Uint8Array>)) {
      total += piece.length;
      if (total > maxBytes) return `it sent more than ${maxBytes} bytes`;
      hash.update(piece);
      await file.write(piece);
    }
    await file.sync();
    return hash.digest("hex") === sha256 ? null : "it sent another file (the SHA-256 differs)";
  } catch (error) {
    const cause = (error as Error).cause;
    return cause === undefined ? reasonOf(error) : `${reasonOf(error)} (${reasonOf(cause)})`;
  } finally {
    await file.close();
  }
}

/** The bytes, through gunzip when they start as gzip does. */
async function* unpacked(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done === true) return;
  const rest = (async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => pieces };
  })();
  const isGzip = first.value[0] === 0x1f && first.value[1] === 0x8b;
  yield* isGzip ? unzip(Readable.from(rest)) : rest;
}
