import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { destination, pino } from "pino";
import type { Seat } from "../keepers/src/roles/embedded/committee-run.ts";
import type { JobCast } from "../keepers/src/roles/embedded/job-cast.ts";
import { type JobsShown, runJobs } from "../keepers/src/roles/embedded/job-run.ts";
import { EmbeddedNetwork } from "../keepers/src/roles/embedded/network.ts";
import type { SentTransaction } from "../keepers/src/roles/embedded/sent-transactions.ts";
import { standBy } from "../keepers/src/roles/embedded/standing-keepers.ts";
import { runStorage, type StorageRunOptions } from "../keepers/src/roles/embedded/storage-run.ts";
import { runTraining } from "../keepers/src/roles/embedded/training-run.ts";
import { AuditTrail, type Trail } from "./audit-trail.ts";
import { type OpenPage, openPage } from "./page-network.ts";
import { root, setUp } from "./setup.ts";
import { messageOf, Stages, say, showProgress } from "./stages.ts";

const help = `npm start -- [--once] [--json] [--port <number>] [--page-port <number>]

Sets everything up, starts an embedded network (chain, contracts, 13 storage nodes) and takes the built-in dataset
through its life: encode, place, anchor, lose two nodes, audit, slash, repair, fetch. Then trains a model on
it in exact integers, replays the run with another engine to the same bits, and catches a worker that flips one bit of one
weight. Then orders a training from three providers by sealed bids, has it trained, attested by a committee of nine of whom five
must agree, paid and certified, and has the same order done by a provider that cheats: it is challenged, convicted by the
contracts, slashed, and the price is refunded. A subgraph indexes all of it and answers GraphQL; an audit of both jobs believes
nothing of what it says, checks it against chain, storage and computation, and writes a report of each. A web page shows all
of it, and takes orders while the network stays up.
  --once    end after the run: exit code 0, or 1 if any stage failed
  --json    end with one JSON document on standard output
  --port    port of the chain's JSON-RPC endpoint (a free one by default)
  --page-port  port of the page (a free one by default)
`;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    once: { type: "boolean" },
    json: { type: "boolean" },
    port: { type: "string" },
    "page-port": { type: "string" },
    help: { type: "boolean" },
  },
});

/** (8, 11), two nodes to lose, and two spare ones to take their bundles over. */
const shape = { k: 8, n: 11, losses: 2, nodes: 13 } as const;

function printTable(stages: Stages): void {
  const width = Math.max(...stages.finished.map(({ name }) => name.length));
  say(`\n  ${"stage".padEnd(width)}  seconds  outcome`);
  say(`  ${"─".repeat(width)}  ───────  ───────`);
  for (const { name, ok, seconds } of stages.finished) {
    say(`  ${name.padEnd(width)}  ${seconds.toFixed(1).padStart(7)}  ${ok ? "ok" : "failed"}`);
  }
  const total = stages.finished.reduce((sum, { seconds }) => sum + seconds, 0);
  say(`  ${"all".padEnd(width)}  ${total.toFixed(1).padStart(7)}  ${stages.ok ? "ok" : "failed"}\n`);
}

function printCommittee({ committee, attestation }: JobsShown): void {
  const line = (member: string, intervals: string, said: string, fee: string) =>
    say(`  ${member.padEnd(17)}  ${intervals.padEnd(9)}  ${said.padEnd(26)}  ${fee.padStart(10)}`);
  say("\n  The committee of the first job:\n");
  line("member", "intervals", "what it said of them", "fee");
  line("─".repeat(17), "─".repeat(9), "─".repeat(26), "─".repeat(10));
  const words: Record<Seat["said"], string> = {
    agrees: "what the provider opened",
    differs: "something else: slashed",
    silent: "nothing: away",
  };
  for (const { member, intervals, said, fee } of committee)
    line(member, intervals.join(", "), words[said], fee === "0" ? "–" : `${fee} tokens`);
  printTransactions("Its attestation, transaction by transaction", attestation);
}

function printTransactions(title: string, transactions: readonly SentTransaction[]): void {
  const line = (from: string, call: string, gas: string) =>
    say(`  ${from.padEnd(17)}  ${call.padEnd(34)}  ${gas.padStart(9)}`);
  say(`\n  ${title}:\n`);
  line("from", "call", "gas");
  line("─".repeat(17), "─".repeat(34), "─".repeat(9));
  for (const { from, call, gas, reverted } of transactions) {
    line(from, `${call}${reverted ? " (reverted)" : ""}`, gas.toLocaleString("en"));
  }
}

/** What the subgraph tells must be what the stages before it did. */
async function checkTrail(audit: AuditTrail): Promise<Record<string, unknown> & Pick<Trail, "jobs">> {
  const { trail, lagSeconds } = await audit.ask();
  const { network: totals, jobs, challenges, slashes } = trail;
  const statuses = jobs.map(({ status }) => status);
  if (trail._meta.hasIndexingErrors || !statuses.includes("Finalised") || !statuses.includes("Failed"))
    throw new Error(
      `the subgraph tells of jobs ${statuses.join(", ")}, not of one that was paid and one that failed`,
    );
  if (!challenges.some(({ status }) => status === "Convicted") || slashes.length === 0)
    throw new Error("the subgraph does not tell of the conviction");
  return {
    url: audit.url,
    block: trail._meta.block.number,
    lagSeconds,
    ...totals,
    jobs,
    challenges: challenges.length,
  };
}

/** Audits the jobs, and sums up what came of it. */
async function auditJobs(
  trail: AuditTrail,
  jobs: Trail["jobs"],
  folder: string,
): Promise<Record<string, string>> {
  const ids = jobs.map(({ id }) => id);
  const audited = await trail.audit(ids, join(root, ".assay", "reports"), folder);
  return Object.fromEntries(
    audited.map(({ job, path, report: { tally } }) => [
      `job ${job}`,
      `${tally.verified} verified, ${tally.trusted} trusted, ${tally.wrong} wrong: ${relative(root, path)}`,
    ]),
  );
}

/** Reads the page as a browser would begin to. */
async function lookAt({ url }: OpenPage): Promise<void> {
  for (const part of ["", "network.json"]) {
    const { ok, status } = await fetch(`${url}${part}`);
    if (!ok) throw new Error(`${url}${part} is not served: HTTP ${status}`);
  }
}

function untilInterrupted(): Promise<void> {
  return new Promise((done) => {
    process.once("SIGINT", () => done());
    process.once("SIGTERM", () => done());
  });
}

async function main(): Promise<number> {
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const [port, pagePort] = [values.port, values["page-port"]].map((text) => Number(text ?? 0)) as [
    number,
    number,
  ];
  for (const each of [port, pagePort]) {
    if (Number.isInteger(each) && each >= 0 && each <= 65535) continue;
    say(`assay: ${Number.isNaN(each) ? "what was given" : each} is not a port\n\n${help}`);
    return 64;
  }
  const stages = new Stages();
  await mkdir(join(root, ".assay"), { recursive: true });
  const folder = await mkdtemp(join(root, ".assay", "run-"));
  const logFile = join(folder, "nodes.log");
  let network: EmbeddedNetwork | undefined;
  let trail: AuditTrail | undefined;
  let page: OpenPage | undefined;
  let standing: JobCast | undefined;
  try {
    say("assay: setting up (about 2 minutes the first time, seconds afterwards)");
    await stages.run("set up contracts, circuits, development keys and subgraph", setUp);
    const log = pino({ level: "debug" }, destination(logFile));
    await stages.run(`start a chain and ${shape.nodes} storage nodes`, async () => {
      network = await EmbeddedNetwork.start({
        folder,
        nodes: shape.nodes,
        port,
        log,
        onProgress: showProgress,
      });
      return { rpcUrl: network.chain.rpcUrl, nodes: network.nodes.size };
    });
    trail = await AuditTrail.start(network!, folder);
    const shared: Pick<StorageRunOptions, "network" | "folder" | "stage" | "onProgress"> = {
      network: network!,
      folder,
      stage: (name, work) => stages.run(name, work),
      onProgress: showProgress,
    };
    const { datasetId } = await runStorage({ ...shared, ...shape });
    await runTraining({ ...shared, datasetId });
    const shown = await runJobs({ ...shared, datasetId, log });
    const { jobs } = await stages.run("ask the subgraph by GraphQL what happened", () => checkTrail(trail!));
    const audits = await stages.run("audit both jobs: every claim checked here, or named as trusted", () =>
      auditJobs(trail!, jobs, folder),
    );
    await stages.run("serve the page", async () => {
      page = await openPage({ network: network!, subgraph: trail!.url, port: pagePort });
      await lookAt(page);
      return { url: page.url };
    });
    if (values.once !== true) {
      await stages.run("keepers stand by for orders from the page", async () => {
        standing = await standBy({ network: network!, folder, log });
        return {};
      });
    }
    say("\n  What an audit that believes nobody makes of both jobs:\n");
    for (const [job, words] of Object.entries(audits)) say(`  ${job}: ${words}`);
    printCommittee(shown);
    printTransactions("The job of the provider that cheated, transaction by transaction", shown.dispute);
  } catch (error) {
    if (stages.ok) say(`assay: ${messageOf(error)}`);
    if (process.env.ASSAY_DEBUG !== undefined) console.error(error);
  }
  printTable(stages);
  if (values.once !== true && stages.ok) {
    say(`\n  The page: ${page!.url}\n`);
    const reports = await trail!.serveReports();
    say(
      `The network stays up: JSON-RPC at ${network!.chain.rpcUrl}, chain id ${network!.chain.chainId}; GraphQL at ${trail!.url}; reports at ${reports.join(" and ")}. Ctrl-C ends it.`,
    );
    await untilInterrupted();
  }
  await page?.close();
  await standing?.close();
  await trail?.close();
  await network?.close();
  if (stages.ok) await rm(folder, { recursive: true, force: true });
  else say(`What nodes and keepers did is in ${logFile}.`);
  if (values.json === true) process.stdout.write(`${JSON.stringify(stages)}\n`);
  return stages.ok ? 0 : 1;
}

process.exit(await main());
