import { homedir } from "node:os";
import { join } from "node:path";
import { AssayError } from "../../core/errors.ts";
import { diskFile } from "./bytes.ts";
import { download, hasSha256 } from "./download.ts";
import { readIdx } from "./idx.ts";
import type { DatasetSource } from "./source.ts";

export type MnistSplit = "train" | "test";

export type MnistOptions = {
  /** "train" (60,000 images, the default) or "test" (10,000). */
  split?: MnistSplit;
  /** Folder that may hold the files, or a folder `mnist` with them; by default the one ASSAY_DATA names. */
  directory?: string;
  /** Folder for what is downloaded; by default one in the user's cache. */
  cacheDirectory?: string;
  /** Addresses of folders with the four `.gz` files. */
  mirrors?: readonly string[];
  fetch?: typeof globalThis.fetch;
};

type MnistFile = { name: string; sha256: string; bytes: number };

/** The unpacked files of Y. LeCun, C. Cortes and C. Burges. */
export const mnistFiles: Readonly<Record<MnistSplit, { images: MnistFile; labels: MnistFile }>> = {
  train: {
    images: {
      name: "train-images-idx3-ubyte",
      sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
      bytes: 47_040_016,
    },
    labels: {
      name: "train-labels-idx1-ubyte",
      sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
      bytes: 60_008,
    },
  },
  test: {
    images: {
      name: "t10k-images-idx3-ubyte",
      sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
      bytes: 7_840_016,
    },
    labels: {
      name: "t10k-labels-idx1-ubyte",
      sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
      bytes: 10_008,
    },
  },
};

/** Public copies of the files. */
export const mnistMirrors: readonly string[] = [
  "https://ossci-datasets.s3.amazonaws.com/mnist/",
  "https://storage.googleapis.com/cvdf-datasets/mnist/",
];

/**
 * MNIST: objects of 785 bytes (28 × 28 pixels, label). The files come from the given folder, else from the cache, else
 * from a mirror; wherever they come from, their hashes are checked.
 * @throws DownloadError when no mirror gives them.
 */
export async function openMnist(options: MnistOptions = {}): Promise<DatasetSource> {
  const { split = "train" } = options;
  const files = mnistFiles[split];
  const images = await findFile(files.images, options);
  const labels = await findFile(files.labels, options);
  const source = await readIdx(diskFile(images), { labels: diskFile(labels) });
  return {
    ...source,
    name: `mnist-${split}`,
    description: "MNIST handwritten digits, Y. LeCun, C. Cortes and C. Burges.",
  };
}

/** Fetches all four files into a folder, unpacked and checked; files that are there are kept. */
export async function downloadMnist(
  options: Pick<MnistOptions, "cacheDirectory" | "mirrors" | "fetch"> = {},
): Promise<string> {
  const cacheDirectory = options.cacheDirectory ?? defaultCache();
  for (const { images, labels } of Object.values(mnistFiles)) {
    for (const file of [images, labels]) await fetchFile(file, { ...options, cacheDirectory });
  }
  return cacheDirectory;
}

async function findFile(file: MnistFile, options: MnistOptions): Promise<string> {
  const directory = options.directory ?? process.env.ASSAY_DATA;
  for (const folder of directory === undefined ? [] : [join(directory, "mnist"), directory]) {
    for (const name of [file.name, `${file.name}.gz`]) {
      const path = join(folder, name);
      if (await hasSha256(path, file.sha256, file.bytes)) return path;
    }
  }
  if (options.directory !== undefined) {
    throw new AssayError(`${options.directory} holds no ${file.name} with the right contents.`, {
      next: "Put the original file there, plain or with .gz, or name no folder to have it downloaded.",
    });
  }
  return await fetchFile(file, options);
}

async function fetchFile(file: MnistFile, options: MnistOptions): Promise<string> {
  const target = join(options.cacheDirectory ?? defaultCache(), file.name);
  if (await hasSha256(target, file.sha256, file.bytes)) return target;
  const urls = (options.mirrors ?? mnistMirrors).map(
    (mirror) => `${mirror.replace(/\/?$/, "/")}${file.name}.gz`,
  );
  await download({ urls, sha256: file.sha256, maxBytes: file.bytes, target, fetch: options.fetch });
  return target;
}

function defaultCache(): string {
  const cache = process.env.XDG_CACHE_HOME ?? process.env.LOCALAPPDATA ?? join(homedir(), ".cache");
  return join(cache, "assay", "mnist");
}
