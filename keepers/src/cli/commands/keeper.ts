import { type Command, Option } from "commander";
import type { KeeperOptions } from "../actions/keeper.ts";
import { withConfigFile } from "../config-file.ts";
import type { Register } from "../register.ts";
import { gibibytes, natural, tokens } from "./options.ts";

/** `assay keeper` */
export function keeperCommand(program: Command, register: Register): void {
  const keeper = withConfigFile(program.command("keeper"));
  keeper
    .option("--data <folder>", "the keeper's data; by default a folder in --home")
    .option("--listen <multiaddr...>", "where to listen for other keepers, and for pages (/ws)", [
      "/ip4/0.0.0.0/tcp/4701",
      "/ip4/0.0.0.0/tcp/4703/ws",
    ])
    .option("--announce <multiaddr...>", "what to tell others, when that differs")
    .option(
      "--storage <file>",
      "JSON file that says where bundles are kept (docs/guides/storage-node.md); IPFS blocks in the data folder by default",
    )
    .option(
      "--cover-from <count>",
      "answer for all bundles with one proof as soon as there are this many",
      natural(1, 64),
    )
    .option("--capacity <GiB>", "space for bundles", gibibytes, 100 * 2 ** 30)
    .addOption(
      new Option("--least-fee <tokens>", "least fee for each bundle and answered audit; others are refused")
        .argParser(tokens)
        .default(10n ** 15n, "0.001"),
    )
    .option(
      "--longest-term <epochs>",
      "most epochs to serve a bundle for; datasets that are paid for longer are refused",
      natural(1, 16_384),
      730,
    )
    .option(
      "--stake <tokens>",
      "register the account as an operator and bring its stake to this much",
      tokens,
    )
    .option(
      "--circuits <folder>",
      "proving keys (`npm run ceremony`); development keys on local chains by default",
    )
    .option("--drand-relay <url...>", "where drand rounds come from, on networks that use drand")
    .option(
      "--gateway-port <number>",
      "serve bundles and manifests over HTTP to pages, GET /ipfs/<cid>, on the loopback interface",
      natural(0, 65_535),
    )
    .option(
      "--metrics-port <number>",
      "serve /metrics (Prometheus) and /healthz on the loopback interface",
      natural(0, 65_535),
    )
    .description("run a storage node: take bundles, answer audits, repair, earn; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
A keeper may be killed at any time and started again.

Example:
  $ assay keeper --listen /ip4/0.0.0.0/tcp/4701 --announce /dns4/keeper.example.org/tcp/4701 --capacity 500 --stake 1000`,
    )
    .action(
      register.action(async (context, options: KeeperOptions) =>
        (await import("../actions/keeper.ts")).keeper(context, options),
      ),
    );
  keeper
    .command("backup <folder> <file>")
    .description("keep what neither the key nor the chain gives back, also while the keeper runs")
    .addHelpText(
      "after",
      `
The folder is the keeper's data (--data). docs/guides/backup.md says what is in a backup.

Example:
  $ assay keeper backup .assay/provider /safe/provider-1.sqlite`,
    )
    .action(
      register.action(async (context, folder: string, file: string) =>
        (await import("../actions/backup.ts")).backUpKeeper(context, folder, file),
      ),
    );
  keeper
    .command("restore <file> <folder>")
    .description("put a backup into a new folder; nothing that is there is replaced")
    .addHelpText(
      "after",
      `
Example:
  $ assay keeper restore /safe/provider-1.sqlite .assay/provider`,
    )
    .action(
      register.action(async (context, file: string, folder: string) =>
        (await import("../actions/backup.ts")).restoreKeeper(context, file, folder),
      ),
    );
}
