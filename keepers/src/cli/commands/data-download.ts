import type { Command } from "commander";
import { downloadMnist } from "../../storage/readers/mnist.ts";
import type { CommandContext } from "../context.ts";
import type { Register } from "../register.ts";
import { oneOf } from "./options.ts";

type DownloadOptions = { to?: string; mirror?: string[] };

/** `assay data download` */
export function downloadCommand(data: Command, register: Register): void {
  data
    .command("download")
    .argument("<dataset>", "mnist", oneOf("mnist"))
    .option("--to <folder>", "where to; the user's cache by default, where `put mnist` finds it")
    .option("--mirror <url...>", "folders with the .gz files, asked in this order")
    .description("download a public dataset; every file is checked against its known hash")
    .addHelpText("after", "\nExample:\n  $ assay data download mnist --to mnist-files")
    .action(
      register.action((context, _name: "mnist", options: DownloadOptions) => download(context, options)),
    );
}

async function download(context: CommandContext, { to, mirror }: DownloadOptions): Promise<void> {
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
