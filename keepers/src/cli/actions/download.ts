import { downloadMnist } from "../../storage/readers/mnist.ts";
import type { CommandContext } from "../context.ts";

export type DownloadOptions = { to?: string; mirror?: string[] };

/** `assay data download` */
export async function download(context: CommandContext, { to, mirror }: DownloadOptions): Promise<void> {
  const { signal, output } = context;
  const directory = await downloadMnist({
    cacheDirectory: to === undefined ? undefined : context.path(to),
    mirrors: mirror,
    fetch: (input, init) =>
      fetch(input, { ...init, signal: AbortSignal.any([signal, ...(init?.signal ? [init.signal] : [])]) }),
  });
  output.result({ dataset: "mnist", directory }, [
    `The four files of MNIST are in ${directory}, each with its known hash.`,
    "Set ASSAY_DATA to that folder, or run `assay data put mnist`.",
  ]);
}
