import { join } from "node:path";
import type { Command } from "commander";
import type { ProofReport, ProofSource } from "../../storage/client/check-proofs.ts";
import { parseDatasetId } from "../../storage/client/dataset.ts";
import { readingSecret } from "../../storage/client/dataset-key.ts";
import { type GetResult, get } from "../../storage/client/get.ts";
import type { CommandContext } from "../context.ts";
import type { Register } from "../register.ts";
import { oneOf } from "./options.ts";

type GetOptions = { to?: string; proofs: ProofSource };

/** `assay data get` */
export function getCommands(data: Command, register: Register): void {
  data
    .command("get")
    .argument("<datasetId>", "what `assay data put` printed")
    .option("--to <folder>", "folder to make; named after the dataset by default")
    .option(
      "--proofs <source>",
      "verify first: chain (last audit), fresh (asked now), none",
      oneOf("chain", "fresh", "none"),
      "chain",
    )
    .description(
      "verify proofs, download exactly as many bundles as are needed, decode, decrypt, write the records",
    )
    .addHelpText("after", "\nExample:\n  $ assay data get 0x5c3f… --to digits-copy")
    .action(register.action((context, id: string, options: GetOptions) => run(context, id, options)));
}

async function run(context: CommandContext, id: string, options: GetOptions): Promise<void> {
  const { output, signal } = context;
  const datasetId = parseDatasetId(id);
  const client = await context.storageClient();
  const result = await get(client, {
    datasetId,
    target: context.path(options.to ?? `dataset-${datasetId.slice(2, 10)}`),
    directory: join(await context.stateFolder(), "downloads"),
    proofs: options.proofs,
    // Without an account plain datasets can be fetched all the same.
    secret: await context.account().then(readingSecret, () => undefined),
    signal,
    onProgress: (progress) => output.progress(progress),
  });
  output.result(result, describe(result));
}

function describe(result: GetResult): string[] {
  const { name, objectCount, files, target, downloaded, proofs, replaced } = result;
  const lines = [
    `${name}: ${objectCount} objects, each with its anchored hash`,
    `written     ${files.length} files to ${target}`,
    `downloaded  ${downloaded} bytes`,
    `proofs      ${describeProofs(proofs)}`,
  ];
  if (replaced.length > 0) {
    lines.push(`replaced    ${replaced.length} bundles that could not be used:`);
    lines.push(
      ...replaced.map(
        ({ bundleIndex, operator, reason }) =>
          `  bundle ${bundleIndex} (${operator ?? "no holder"}): ${reason}`,
      ),
    );
  }
  return lines;
}

/** One line about proofs. */
export function describeProofs({ source, proven, refuted, unproven }: ProofReport): string {
  if (source === "none") return "not asked for";
  const where = source === "chain" ? "the last audits' on chain" : "asked for just now";
  const bad = refuted.length === 0 ? "" : `, ${refuted.length} false`;
  const open = unproven.length === 0 ? "" : `, ${unproven.length} bundles without one`;
  return `${proven.length} bundles proven (${where})${bad}${open}`;
}
