import type { Command } from "commander";
import type { DownloadOptions } from "../actions/download.ts";
import type { Register } from "../register.ts";
import { oneOf } from "./options.ts";

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
      register.action(async (context, _name: "mnist", options: DownloadOptions) =>
        (await import("../actions/download.ts")).download(context, options),
      ),
    );
}
