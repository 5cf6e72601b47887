import type { Command } from "commander";
import { defaultFetchTime } from "../../roles/jobs/fetch-time.ts";
import type { WatchOptions } from "../actions/job.ts";
import type { Register } from "../register.ts";
import { challengeBonds, natural } from "./options.ts";

const actions = () => import("../actions/job.ts");

const models = () => import("../actions/job-model.ts");

/** `assay job`: what has become of orders. */
export function jobCommands(program: Command, register: Register): void {
  const job = program.command("job").description("jobs: list, show, watch, fetch and score the model");

  job
    .command("list")
    .option("--all", "open jobs of everybody instead of one's own")
    .description("list one's own jobs")
    .addHelpText("after", "\nExample:\n  $ assay job list")
    .action(
      register.action(async (context, options: { all?: boolean }) =>
        (await actions()).listJobs(context, options),
      ),
    );

  job
    .command("show")
    .argument("<id>", "number of the job")
    .description("show a job: its status, provider, result and challenges")
    .addHelpText("after", "\nExample:\n  $ assay job show 7")
    .action(register.action(async (context, id: string) => (await actions()).showJob(context, id)));

  job
    .command("watch")
    .argument("<id>", "number of the job")
    .addOption(challengeBonds("for each result"))
    .option(
      "--fetch-time <seconds>",
      "a result that takes longer to arrive counts as withheld",
      natural(1, 1_000_000),
      defaultFetchTime,
    )
    .description(
      "follow a job to its end, and keep it going: fetch the result, award, finalise, fetch refunds",
    )
    .addHelpText(
      "after",
      `
It fetches results of all your jobs that are still to be paid for. Where holders do not serve one, it asks for cells of it on chain,
before the provider can be paid: they publish the cells, or are slashed. Each cell takes a bond in the chain's coin: a publication
takes its cost from it, and the rest comes back.

Example:
  $ assay job watch 7 --max-challenge-bonds 0.05`,
    )
    .action(
      register.action(async (context, id: string, options: WatchOptions) =>
        (await actions()).watchJob(context, id, options),
      ),
    );

  job
    .command("fetch")
    .argument("<id>", "number of the job")
    .option("--to <folder>", "folder for the model; job-<id> by default")
    .description("fetch the trained model, check it against commitment and certificate, export and score it")
    .addHelpText(
      "after",
      `
Of a job that failed or goes on, it fetches the newest checkpoint that was verified and paid: that state is the consumer's.

Example:
  $ assay job fetch 7 --to digits-model`,
    )
    .action(
      register.action(async (context, id: string, options: { to?: string }) =>
        (await models()).fetchJob(context, id, options),
      ),
    );

  job
    .command("evaluate")
    .argument("<id>", "number of the job")
    .option("--dataset <id>", "another stored dataset, instead of the samples that the order kept apart")
    .description("fetch the trained model and score it, in exact integers and in float32")
    .addHelpText("after", "\nExample:\n  $ assay job evaluate 7 --dataset 0x5c3f…")
    .action(
      register.action(async (context, id: string, options: { dataset?: string }) =>
        (await models()).evaluateJob(context, id, options),
      ),
    );
}
