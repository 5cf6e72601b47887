import type { Command } from "commander";
import type { Register } from "../register.ts";

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
    .description("follow a job to its end, and keep it going: award, finalise, fetch refunds")
    .addHelpText("after", "\nExample:\n  $ assay job watch 7")
    .action(register.action(async (context, id: string) => (await actions()).watchJob(context, id)));

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
