import { parseArgs } from "node:util";
import { setupContracts } from "./setup.ts";
import { say } from "./stages.ts";

const help = `npm run coalitions [-- --walks N] [--seed S] [--only S:I] [--no-copies] [--json]

Walks the real contracts with coalitions of any roles, and holds what honest parties end with against what they are owed
(docs/simulation.md).
  --walks N      random walks, 200 by default
  --seed S       of the walks, 1 by default
  --only S:I     plays one walk again and tells every transaction; also by the seed of an exploit
  --without E    plays it in a copy without the remedy for the exploit with this seed
  --no-copies    leaves out the copies of contracts without their remedies
  --json         ends with one JSON document on standard output
`;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    walks: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    without: { type: "string" },
    "no-copies": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function tellOne(seed: string, without: string | undefined): Promise<number> {
  const { Ground } = await import("../test/coalitions/ground.ts");
  const { drawPlan } = await import("../test/coalitions/plan.ts");
  const { exploits } = await import("../test/coalitions/exploits.ts");
  const exploitOf = (name: string) => exploits.find(({ plan }) => plan.seed === name);
  const missing = without === undefined ? undefined : exploitOf(without)?.patch;
  if (without !== undefined && missing === undefined) {
    process.stderr.write(`no exploit that has a remedy has the seed "${without}"\n`);
    return 64;
  }
  const ground = new Ground();
  await ground.change(missing);
  const { plan, actions, faults } = await ground.walk(exploitOf(seed)?.plan ?? drawPlan(seed));
  await ground.close();
  for (const line of [JSON.stringify(plan), ...actions, ...faults]) process.stdout.write(`${line}\n`);
  return faults.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const walks = Number(values.walks);
  if (values.help || !Number.isInteger(walks) || walks < 1) {
    process.stderr.write(help);
    return values.help ? 0 : 64;
  }
  await setupContracts("default");
  if (values.only !== undefined) return await tellOne(values.only, values.without);
  const { run } = await import("../test/coalitions/run.ts");
  const report = await run({
    walks,
    seed: values.seed,
    copies: values["no-copies"] ? "none" : "random",
    say,
  });
  for (const fault of report.faults) say(fault);
  const { ok, worstLoss, worstProfit, accepted, delivered, reached } = report;
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    process.stdout.write(
      `${walks} walks: ${accepted} moves accepted, ${delivered} right results paid for, ${reached.length} functions reached; ` +
        `worst loss ${worstLoss} tokens, worst profit ${worstProfit} tokens\n`,
    );
  }
  return ok ? 0 : 1;
}

process.exit(await main());
