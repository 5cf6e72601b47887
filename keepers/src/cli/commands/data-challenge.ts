import type { Command } from "commander";
import { defaultFetchTime } from "../../roles/jobs/fetch-time.ts";
import type { ChallengeDataOptions } from "../actions/data-challenge.ts";
import type { Register } from "../register.ts";
import { challengeBonds, natural } from "./options.ts";

/** `assay data challenge`: holders that do not serve what they hold. */
export function challengeDataCommand(data: Command, register: Register): void {
  data
    .command("challenge")
    .argument("<datasetId>", "what `assay data put` printed, or the result that `assay job show` names")
    .option("--dry-run", "say what would be asked for and what it would cost; send nothing")
    .addOption(challengeBonds("for this call"))
    .option("--segments <count>", "segments to look at, drawn by lot", natural(1, 65_536), 16)
    .option(
      "--fetch-time <seconds>",
      "for which bundles are fetched",
      natural(1, 1_000_000),
      defaultFetchTime,
    )
    .description("fetch a dataset from its holders, and ask on chain for cells of what they do not serve")
    .addHelpText(
      "after",
      `
A holder publishes the cell that it is asked for, or it is slashed. A challenge carries a bond in the chain's coin: a publication
takes its cost from it, and the rest comes back. Nothing is sent when every segment can be read.
Bundles that are no codeword are shown to the contracts instead, which pay half of the owner's bond for that.
Run it again later: it calls the timeouts that are due, slashes, and fetches the bonds back.
It ends with 1 when something is not served, or was not in --fetch-time.

Examples:
  $ assay data challenge 0x5c3f… --dry-run
  $ assay data challenge 0x5c3f… --max-challenge-bonds 0.02`,
    )
    .action(
      register.action(async (context, id: string, options: ChallengeDataOptions) =>
        (await import("../actions/data-challenge.ts")).challengeDataset(context, id, options),
      ),
    );
}
