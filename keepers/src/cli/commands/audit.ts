import type { Command } from "commander";
import type { Address } from "viem";
import type { AuditOptions, DatasetAuditOptions } from "../actions/audit.ts";
import type { Register } from "../register.ts";
import { address, natural } from "./options.ts";

const actions = () => import("../actions/audit.ts");

/** `assay audit`: what an index says, held against the chain, the stored data, and computation. */
export function auditCommands(program: Command, register: Register): void {
  const audit = program
    .command("audit")
    .description("check for yourself what an index, a provider or a certificate says");

  computing(reporting(audit.command("job").argument("<id>", "number of the job")))
    .description("check a job: order, bids, work, committee, certificate, disputes, money")
    .addHelpText("after", examples("job 7"))
    .action(
      register.action(async (context, id: string, options: AuditOptions) =>
        (await actions()).auditJob(context, "job", id, options),
      ),
    );

  reporting(audit.command("dataset").argument("<id>", "id of the dataset"))
    .option("--full", "download every bundle, and check that they fit together")
    .option("--no-compute", "look at nothing that is stored: chain and index alone")
    .description("check a dataset: anchor, roots, holders, audits with their proofs, fees")
    .addHelpText("after", examples("dataset 0x5c3f…"))
    .action(
      register.action(async (context, id: string, options: DatasetAuditOptions) =>
        (await actions()).auditDataset(context, id, options),
      ),
    );

  reporting(audit.command("operator").argument("<account>", "account of the operator", address))
    .description("check an operator: stake, jobs, what it earned, what it lost")
    .addHelpText("after", examples("operator 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"))
    .action(
      register.action(async (context, account: Address, options: AuditOptions) =>
        (await actions()).auditOperator(context, account, options),
      ),
    );

  computing(reporting(audit.command("certificate").argument("<id>", "number of the certificate")))
    .description("check a certificate, and the job that it is for")
    .addHelpText("after", examples("certificate 7"))
    .action(
      register.action(async (context, id: string, options: AuditOptions) =>
        (await actions()).auditJob(context, "certificate", id, options),
      ),
    );
}

function reporting(command: Command): Command {
  return command
    .option("--subgraph <url>", "GraphQL endpoint of the index (env: ASSAY_SUBGRAPH_URL)")
    .option("--html <file>", "write a report to be read in a browser; it needs nothing else");
}

function computing(command: Command): Command {
  return command
    .option(
      "--sample <intervals>",
      "intervals of the training to compute again, 3 by default",
      natural(1, 1e6),
    )
    .option("--all", "compute the whole training again")
    .option("--no-compute", "fetch no data and compute nothing: chain and index alone");
}

function examples(call: string): string {
  return `
Every claim is verified here, taken on trust with the reason, or wrong. It ends with 1 when something is wrong.

Examples:
  $ assay audit ${call} --subgraph http://127.0.0.1:8000/subgraphs/name/assay
  $ assay audit ${call} --html report.html`;
}
