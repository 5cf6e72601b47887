import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Hex } from "viem";
import { encodeManifest } from "../../core/dataset/manifest.ts";
import { AssayError, BadInputError } from "../../core/errors.ts";
import type { StorageClient } from "../../storage/client/client.ts";
import { parseDatasetId, readAnchor } from "../../storage/client/dataset.ts";
import { fetchManifest } from "../../storage/client/fetch-manifest.ts";
import { createJobStorage, type JobStorage } from "../jobs/job-storage.ts";

export type GatewayOptions = {
  readonly storage: StorageClient;
  /** Folder for what was fetched; datasets that were asked for stay there until the gateway is closed. */
  readonly folder: string;
  readonly host?: string;
  /** 0 takes a free port. */
  readonly port?: number;
  /** Largest dataset that is fetched for anybody, in bytes. */
  readonly mostBytes?: number;
};

export type Gateway = { readonly url: string; close(): Promise<void> };

const usualMost = 64 * 2 ** 20;
const fileName = /^[A-Za-z0-9._-]{1,255}$/;

/**
 * Gives browsers the bytes of anchored datasets, which storage nodes hold in bundles and hand out over libp2p:
 *
 * - `/datasets/<id>/manifest`: what the dataset is
 * - `/datasets/<id>/objects`: all objects, one after another
 * - `/datasets/<id>/files/<name>`: a file of a stored folder, as results are
 *
 * Nobody has to believe it: a manifest hashes to what is anchored, objects to the root in it, and a state to the root that
 * its provider committed to.
 */
export async function serveGateway(options: GatewayOptions): Promise<Gateway> {
  const files = new StoredFiles(options);
  const server = createServer((request, response) => {
    answer(options, files, request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy();
      const status = error instanceof BadInputError ? 404 : error instanceof AssayError ? 502 : 500;
      response.writeHead(status, { ...open, "content-type": "text/plain; charset=utf-8" });
      response.end(error instanceof AssayError ? error.message : "internal error");
    });
  });
  server.requestTimeout = 30_000;
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((listening, failed) => {
    server.once("error", failed);
    server.listen(options.port ?? 0, host, listening);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    close: async () => {
      await new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      });
      await rm(options.folder, { recursive: true, force: true });
    },
  };
}

/** Any page may read what anybody may fetch. */
const open = { "access-control-allow-origin": "*", "x-content-type-options": "nosniff" };

async function answer(
  { storage, mostBytes = usualMost }: GatewayOptions,
  files: StoredFiles,
  { url = "/", method }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, root, id = "", what, name] = new URL(url, "http://localhost").pathname.split("/");
  if (method !== "GET" || root !== "datasets" || what === undefined)
    throw new BadInputError("there is /datasets/<id>/manifest, /objects and /files/<name>");
  const datasetId = parseDatasetId(id);
  const anchored = await readAnchor(storage, datasetId);
  const { objectCount, objectSize } = anchored.anchor.shape;
  if (what === "manifest") {
    const { manifest } = await fetchManifest(storage, anchored);
    response.writeHead(200, { ...open, "content-type": "application/json" });
    response.end(encodeManifest(manifest));
    return;
  }
  if (objectCount * BigInt(objectSize) > BigInt(mostBytes))
    throw new BadInputError(`this gateway fetches no dataset above ${mostBytes} bytes`);
  if (what === "objects") return sendFile(response, await files.objects(datasetId));
  if (what === "files" && name !== undefined && fileName.test(name))
    return sendFile(response, join(await files.folder(datasetId), name));
  throw new BadInputError("there is nothing of this name");
}

async function sendFile(response: ServerResponse, path: string): Promise<void> {
  const { size } = await stat(path).catch(() => {
    throw new BadInputError("the dataset has no such file");
  });
  response.writeHead(200, {
    ...open,
    "content-type": "application/octet-stream",
    "content-length": size,
  });
  await pipeline(createReadStream(path), response);
}

/** What was fetched, each once however many ask at the same time. */
class StoredFiles {
  readonly #storage: JobStorage;
  readonly #folder: string;
  readonly #mostBytes: number;
  readonly #known = new Map<string, Promise<string>>();

  constructor({ storage, folder, mostBytes = usualMost }: GatewayOptions) {
    this.#storage = createJobStorage(storage);
    this.#folder = folder;
    this.#mostBytes = mostBytes;
  }

  /** Path of a file with all objects. */
  objects(datasetId: Hex): Promise<string> {
    return this.#once(`objects ${datasetId}`, async () => {
      const directory = join(this.#folder, datasetId);
      await mkdir(directory, { recursive: true });
      const { objects } = await this.#storage.objects(datasetId, join(directory, "downloads"));
      const path = join(directory, "objects");
      await pipeline(objects(), createWriteStream(path));
      return path;
    });
  }

  /** Path of a folder with the files that are stored as a dataset. */
  folder(datasetId: Hex): Promise<string> {
    return this.#once(`folder ${datasetId}`, async () => {
      const target = join(this.#folder, datasetId, "files");
      await mkdir(join(this.#folder, datasetId), { recursive: true });
      const directory = join(this.#folder, datasetId, "downloads");
      await this.#storage.folder({ datasetId, target, directory, mostBytes: this.#mostBytes });
      return target;
    });
  }

  #once(key: string, fetchIt: () => Promise<string>): Promise<string> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const fetched = fetchIt();
    this.#known.set(key, fetched);
    // What failed is tried again when somebody asks again.
    fetched.catch(() => this.#known.delete(key));
    return fetched;
  }
}
