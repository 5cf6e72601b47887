import { createHash } from "node:crypto";
import { AwsClient } from "aws4fetch";
import type { CID } from "multiformats/cid";
import {
  type BlobSource,
  type BlobStore,
  type CallOptions,
  collect,
  type GetOptions,
  gatherBlob,
  type PutOptions,
  type PutResult,
} from "./backend.ts";
import { assertBlobCid, maxBlobBytes, parseBlobCid } from "./blob-cid.ts";
import {
  AccessDeniedError,
  BackendUnavailableError,
  BlobNotFoundError,
  OversizeError,
  RejectedRequestError,
  WrongBytesError,
} from "./errors.ts";
import { httpBody } from "./http-body.ts";
import { ownersFolder, type StoreOwners } from "./owners.ts";
import { readPlain } from "./verified-read.ts";

export type S3Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

export type S3Parameters = {
  /** `https://gateway.storjshare.io`, say. Buckets are named in the path. */
  endpoint: string;
  /** As the server wants it in signatures; `us-east-1` fits most that are not AWS. */
  region?: string;
  bucket: string;
  /** What keys begin with, `assay/` say. */
  prefix?: string;
  credentials: S3Credentials;
  /** How long one request may take, in milliseconds. */
  timeout?: number;
  /** How often a request is made in all while the server fails or is silent. */
  attempts?: number;
  /** Pause before the second attempt, in milliseconds; it doubles each time. */
  backOff?: number;
};

type RequestParameters = {
  query?: Record<string, string>;
  body?: Uint8Array;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
};

const rootSuffix = ".root";
/** The longest error or list the server may answer with. */
const maxTextBytes = 4 << 20;
const maxRootBytes = 64 << 10;
/** Pages without any key that a list may have in a row: a server that goes on like that never ends. */
const maxEmptyPages = 100;
const emptyHash = createHash("sha256").digest("hex");

/**
 * Blobs as objects of an S3-compatible store (AWS, Storj's gateway, MinIO, …): `<prefix><CID>` holds the plain bytes,
 * `<prefix><CID>.root` the root block of a blob of several chunks. Requests are signed with Signature V4, uploads with
 * the hash of their bytes. One request stores a blob, so that nothing half-written can appear.
 */
export class S3Store implements BlobStore, StoreOwners {
  readonly kind = "s3";
  readonly #client: AwsClient;
  readonly #base: string;
  readonly #where: string;
  readonly #prefix: string;
  readonly #timeout: number;
  readonly #attempts: number;
  readonly #backOff: number;

  constructor({ endpoint, region = "us-east-1", bucket, prefix = "", credentials, ...limits }: S3Parameters) {
    this.#client = new AwsClient({ ...credentials, service: "s3", region, retries: 0 });
    this.#base = `${endpoint.replace(/\/+$/, "")}/${encodeURIComponent(bucket)}`;
    this.#where = `the bucket ${bucket}`;
    this.#prefix = prefix;
    this.#timeout = limits.timeout ?? 60_000;
    this.#attempts = limits.attempts ?? 5;
    this.#backOff = limits.backOff ?? 200;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    const { bytes, layout } = await gatherBlob(source, options);
    const key = layout.cid.toString();
    // The root first: the blob must not exist before all of it does.
    if (layout.root !== undefined) await this.#store(key + rootSuffix, layout.root, options.signal);
    await this.#store(key, bytes, options.signal);
    return { cid: layout.cid, size: layout.size };
  }

  async *get(cid: CID, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    assertBlobCid(cid);
    options.signal?.throwIfAborted();
    const key = cid.toString();
    yield* readPlain(cid, options, {
      where: this.#where,
      root: () => this.#fetch(`${key}${rootSuffix}`, maxRootBytes, options.signal),
      range: (offset, length) => this.#range(key, offset, length, options.signal),
      whole: async () => {
        const bytes = await this.#fetch(key, maxBlobBytes, options.signal);
        if (bytes === undefined) throw new BlobNotFoundError(key, this.#where);
        return bytes;
      },
    });
  }

  async has(cid: CID, { signal }: CallOptions = {}): Promise<boolean> {
    assertBlobCid(cid);
    const response = await this.#request("HEAD", cid.toString(), { signal });
    return response.status !== 404;
  }

  async delete(cid: CID, options: CallOptions = {}): Promise<boolean> {
    const there = await this.has(cid, options);
    // The bytes first, so that no moment shows a blob without its root.
    for (const key of [cid.toString(), cid.toString() + rootSuffix]) {
      const response = await this.#request("DELETE", key, { signal: options.signal });
      await response.body?.cancel();
    }
    return there;
  }

  async *list({ signal }: CallOptions = {}): AsyncIterable<CID> {
    for await (const name of this.#names("", signal)) {
      const cid = name.endsWith(rootSuffix) ? undefined : blobCidOrNothing(name);
      if (cid !== undefined) yield cid;
    }
  }

  get where(): string {
    return this.#prefix === "" ? this.#where : `${this.#where}, prefix ${this.#prefix}`;
  }

  async owners(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of this.#names(`${ownersFolder}/`, undefined)) names.push(name);
    return names;
  }

  async addOwner(name: string): Promise<void> {
    await this.#store(`${ownersFolder}/${name}`, new Uint8Array(0), undefined);
  }

  async removeOwner(name: string): Promise<void> {
    const response = await this.#request("DELETE", `${ownersFolder}/${name}`, {});
    await response.body?.cancel();
  }

  /** What keys that begin with the store's prefix and another one have behind both. */
  async *#names(prefix: string, signal: AbortSignal | undefined): AsyncIterable<string> {
    const whole = this.#prefix + prefix;
    let emptyPages = 0;
    for (let token: string | undefined = ""; token !== undefined; ) {
      const query: Record<string, string> = { "list-type": "2", prefix: whole };
      if (token !== "") query["continuation-token"] = token;
      const response = await this.#request("GET", undefined, { query, signal });
      if (response.status === 404) throw new BackendUnavailableError(`${this.#where} does not exist`);
      const page = await this.#text(response);
      const keys = [...page.matchAll(/<Key>([^<]*)<\/Key>/g)];
      for (const [, key = ""] of keys) {
        yield unescapeXml(key).slice(whole.length);
      }
      const next = /<NextContinuationToken>([^<]*)</.exec(page)?.[1];
      const following: string | undefined = next === undefined || next === "" ? undefined : unescapeXml(next);
      emptyPages = keys.length === 0 ? emptyPages + 1 : 0;
      if (following !== undefined && (following === token || emptyPages > maxEmptyPages)) {
        throw new BackendUnavailableError(`${this.#where} answers with a list that does not end`);
      }
      token = following;
    }
  }

  async close(): Promise<void> {}

  async #text(response: Response): Promise<string> {
    const bytes = await collect(httpBody(response, this.#where), maxTextBytes);
    return new TextDecoder().decode(bytes);
  }

  async #store(key: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const response = await this.#request("PUT", key, {
      body,
      signal,
      headers: { "content-type": "application/octet-stream" },
    });
    const status = response.status;
    await response.body?.cancel();
    if (status === 404) throw new BackendUnavailableError(`${this.#where} does not exist`);
  }

  /** An object's bytes; undefined when there is none. One that is longer than `limit` is none of ours. */
  async #fetch(key: string, limit: number, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    return this.#retry(signal, async () => {
      const response = await this.#once("GET", key, { signal });
      if (response.status === 404) return undefined;
      try {
        return await collect(httpBody(response, this.#where), limit, signal);
      } catch (error) {
        if (error instanceof OversizeError) throw new WrongBytesError(key, this.#where);
        throw error;
      }
    });
  }

  /** A range that goes on where it stopped when the connection breaks. */
  async *#range(
    key: string,
    offset: number,
    length: number,
    signal: AbortSignal | undefined,
  ): AsyncIterable<Uint8Array> {
    let done = 0;
    for (let failures = 0; done < length; ) {
      const before = done;
      try {
        const first = offset + done;
        const headers = { range: `bytes=${first}-${offset + length - 1}` };
        const response = await this.#request("GET", key, { headers, signal });
        if (response.status === 404) throw new BlobNotFoundError(key, this.#where);
        if (response.status === 416) throw new WrongBytesError(key, this.#where);
        // A server without ranges sends everything.
        let skip = response.status === 206 ? 0 : first;
        for await (const piece of httpBody(response, this.#where)) {
          const wanted = piece.subarray(Math.min(skip, piece.length));
          skip -= piece.length - wanted.length;
          if (wanted.length === 0) continue;
          done += wanted.length;
          yield wanted;
        }
        if (done < length) throw new BackendUnavailableError(`${this.#where} sent less than it has`);
      } catch (error) {
        signal?.throwIfAborted();
        failures = done > before ? 1 : failures + 1;
        if (!(error instanceof BackendUnavailableError) || failures >= this.#attempts) throw error;
      }
    }
  }

  async #request(method: string, key: string | undefined, parameters: RequestParameters): Promise<Response> {
    return this.#retry(parameters.signal, () => this.#once(method, key, parameters));
  }

  /** Again, after a pause that doubles, while the server fails or cannot be reached; never after a plain no. */
  async #retry<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await action();
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof BackendUnavailableError) || attempt >= this.#attempts) throw error;
        const wait = this.#backOff * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  /** One request. 2xx, 404 and 416 are answers; everything else is thrown. */
  async #once(
    method: string,
    key: string | undefined,
    { query, body, headers, signal }: RequestParameters,
  ): Promise<Response> {
    const url = new URL(key === undefined ? this.#base : `${this.#base}/${encodeKey(this.#prefix + key)}`);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const limits = [AbortSignal.timeout(this.#timeout)];
    if (signal !== undefined) limits.push(signal);
    let response: Response;
    try {
      response = await this.#client.fetch(url.toString(), {
        method,
        headers: { ...headers, "x-amz-content-sha256": body === undefined ? emptyHash : sha256(body) },
        signal: AbortSignal.any(limits),
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new BackendUnavailableError(`${this.#where} cannot be reached`, { cause });
    }
    const { status } = response;
    if (response.ok || status === 404 || status === 416) return response;
    const code =
      /<Code>([A-Za-z0-9._-]{1,80})<\/Code>/.exec(await this.#text(response))?.[1] ?? `HTTP ${status}`;
    if (status === 401 || status === 403) throw new AccessDeniedError(this.#where, code);
    if (status >= 500 || status === 429 || status === 408) {
      throw new BackendUnavailableError(`${this.#where} failed: ${code}`);
    }
    throw new RejectedRequestError(this.#where, code);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function encodeKey(key: string): string {
  return key.split("/").map(encodeURIComponent).join("/");
}

function blobCidOrNothing(name: string): CID | undefined {
  try {
    return parseBlobCid(name);
  } catch {
    return undefined;
  }
}

function unescapeXml(value: string): string {
  const named: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return value.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => named[name]!);
}
