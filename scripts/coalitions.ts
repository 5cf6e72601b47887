import { parseArgs } from "node:util";
import { setupContracts } from "./setup.ts";
import { say } from "./stages.ts";

const help = `npm run coalitions [-- --walks N] [--seed S] [--only S:I] [--no-copies] [--json]

Walks the real contracts with coalitions of any roles, and holds what honest parties end with against what they are owed
(docs/simulation.md).
  --walks N      random walks, 200 by default
  --seed S       of the walks, 1 by default
  --only S:I     plays one walk again and tells every transaction
  --no-copies    leaves out the copies of contracts without their remedies
  --json         ends with one JSON document on standard output
`;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    walks: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    "no-copies": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function tellOne(seed: string): Promise<number> {
  const { CoalitionWorld } = await import("../test/coalitions/world.ts");
  const { drawPlan } = await import("../test/coalitions/plan.ts");
  const { exploits } = await import("../test/coalitions/exploits.ts");
  const { walk } = await import("../test/coalitions/walk.ts");
  const world = await CoalitionWorld.open();
  const known = exploits.find(({ plan }) => plan.seed === seed);
  const { plan, actions, faults } = await walk(world, known?.plan ?? drawPlan(seed));
  await world.close();
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
  if (values.only !== undefined) return await tellOne(values.only);
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
