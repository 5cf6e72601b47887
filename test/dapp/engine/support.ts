import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { Browser, Page } from "playwright-core";
import { bytesToHex } from "viem";
import { build } from "vite";
import type { Engine } from "../../../dapp/src/engine/client.ts";
import type { Engines, Method } from "../../../dapp/src/engine/methods.ts";
import { blobCid } from "../../../keepers/src/core/dataset/blob.ts";
import { buildDataset } from "../../../keepers/src/core/dataset/build.ts";
import {
  type Manifest,
  manifestCid,
  manifestDigest,
  parseManifest,
} from "../../../keepers/src/core/dataset/manifest.ts";
import { commitBundle } from "../../../keepers/src/core/merkle/bundle-committer.ts";
import { filesSource } from "../../../keepers/src/storage/readers/files-source.ts";
import type { DatasetSource } from "../../../keepers/src/storage/readers/source.ts";
import { type PageServer, servePage } from "../../../scripts/page-server.ts";
import { openBrowser, type Visit, visit } from "../support/browser.ts";

const dapp = join(import.meta.dirname, "../../../dapp");

/** A page with nothing but the engines, built as the real one is and under its policy. */
export class EnginePage implements AsyncDisposable {
  readonly folder: string;
  readonly #browser: Browser;
  readonly #server: PageServer;

  private constructor(folder: string, browser: Browser, server: PageServer) {
    this.folder = folder;
    this.#browser = browser;
    this.#server = server;
  }

  static async open(): Promise<EnginePage> {
    const folder = await mkdtemp(join(tmpdir(), "assay-engines-"));
    const policy = /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(
      await readFile(join(dapp, "index.html"), "utf8"),
    )![1]!;
    await build({
      configFile: join(dapp, "vite.config.ts"),
      root: join(import.meta.dirname, "page"),
      logLevel: "warn",
      build: { outDir: folder, minify: false },
      plugins: [{ name: "policy", transformIndexHtml: (html) => html.replace("%POLICY%", policy) }],
    });
    const server = await servePage({ folder, network: undefined });
    return new EnginePage(folder, await openBrowser(), server);
  }

  /** A fresh visitor, with the engine started. */
  async visit(): Promise<Visit> {
    const visitor = await visit(this.#browser);
    await this.show(visitor.page);
    return visitor;
  }

  async show(page: Page): Promise<void> {
    await page.goto(this.#server.url);
    await page.waitForFunction(() => "engine" in globalThis);
  }

  /** Puts a file where the page can fetch it. */
  async serve(name: string, bytes: Uint8Array | string): Promise<void> {
    const path = join(this.folder, "given", name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }

  /** Address under which blobs that {@link store} wrote are had, as from an IPFS gateway. */
  get gateway(): string {
    return this.#server.url;
  }

  /** Path of a blob behind the gateway. */
  blobPath(cid: string): string {
    return join(this.folder, "ipfs", cid);
  }

  /** Stores a source as a dataset of (2, 3) behind the gateway; returns its manifest and the CID of that. */
  async store(source: DatasetSource): Promise<{ readonly cid: string; readonly manifest: Manifest }> {
    await mkdir(join(this.folder, "ipfs"), { recursive: true });
    const { name, licence, description } = source;
    const bytes = await buildDataset({
      ...{ source, name, licence, description, k: 2, n: 3 },
      keep: async (_, bundle) => {
        const { poseidonRoot, transportRoot } = commitBundle(bundle);
        const cid = blobCid(bundle).toString();
        await writeFile(this.blobPath(cid), bundle);
        return { poseidonRoot: bytesToHex(poseidonRoot), transportRoot: bytesToHex(transportRoot), cid };
      },
    });
    const cid = manifestCid(manifestDigest(bytes));
    await writeFile(this.blobPath(cid), bytes);
    return { cid, manifest: parseManifest(bytes) };
  }

  /** Stores files as a folder. */
  storeFolder(name: string, files: Readonly<Record<string, Uint8Array>>): ReturnType<EnginePage["store"]> {
    return this.store(
      filesSource({
        path: name,
        name,
        list: async () => Object.keys(files),
        read: async (file) => Readable.from([files[file]!]),
      }),
    );
  }

  async serveCopy(name: string, path: string): Promise<void> {
    await mkdir(dirname(join(this.folder, "given", name)), { recursive: true });
    await cp(path, join(this.folder, "given", name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.#server.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A file that was served, in an input: `path` becomes a File, a Blob or bytes in the page. */
export type Given = { readonly given: string; readonly as: "file" | "bytes"; readonly modified?: number };

/** Puts what was served into an input; bytes on the way back become hexadecimal. */
type Passed<T> = T extends Uint8Array | Blob
  ? Given
  : T extends object
    ? { [K in keyof T]: Passed<T[K]> }
    : T;
export type Plain<T> = T extends Uint8Array ? string : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

export type Outcome<M extends Method> =
  | { readonly output: Plain<Engines[M]["output"]>; readonly error?: undefined; readonly stages: string[] }
  | {
      readonly output?: undefined;
      readonly error: {
        readonly name: string;
        readonly message: string;
        readonly kept?: string;
        readonly next?: string;
      };
      readonly stages: string[];
    };

/**
 * Calls a method in the page.
 * @param cancelAfter cancels the call with its report of progress of this number
 */
export async function call<M extends Method>(
  page: Page,
  method: M,
  input: Passed<Engines[M]["input"]>,
  cancelAfter?: number,
): Promise<Outcome<M>> {
  const outcome = await page.evaluate(
    async ({ method, input, cancelAfter }) => {
      const { engine } = globalThis as unknown as { engine: Engine };
      const filled = async (value: unknown): Promise<unknown> => {
        if (typeof value !== "object" || value === null) return value;
        if (Array.isArray(value)) return Promise.all(value.map(filled));
        const { given, as, modified } = value as Given;
        if (given !== undefined) {
          const response = await fetch(`./given/${given}`);
          if (!response.ok) throw new Error(`${given} is not served`);
          const blob = await response.blob();
          if (as === "bytes") return new Uint8Array(await blob.arrayBuffer());
          return new File([blob], given.split("/").at(-1)!, { lastModified: modified ?? 0 });
        }
        const entries = await Promise.all(
          Object.entries(value).map(async ([key, each]) => [key, await filled(each)] as const),
        );
        return Object.fromEntries(entries);
      };
      const plain = (value: unknown): unknown => {
        if (value instanceof Uint8Array)
          return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
        if (typeof value !== "object" || value === null) return value;
        if (Array.isArray(value)) return value.map(plain);
        return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
      };
      const controller = new AbortController();
      const stages: string[] = [];
      let reports = 0;
      try {
        const output = await engine.call(method, (await filled(input)) as never, {
          signal: controller.signal,
          onProgress: ({ stage }) => {
            if (stages.at(-1) !== stage) stages.push(stage);
            if (++reports === cancelAfter) controller.abort();
          },
        });
        return { output: plain(output), stages };
      } catch (error) {
        const { name, message, kept, next } = error as Error & { kept?: string; next?: string };
        return { error: { name, message, kept, next }, stages };
      }
    },
    { method, input: input as unknown, cancelAfter },
  );
  return outcome as Outcome<M>;
}

/** Hexadecimal without 0x, as bytes come back from the page. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
