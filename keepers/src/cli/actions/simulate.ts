import { formatEther } from "viem";
import { exitCode } from "../../core/errors.ts";
import { type Outcome, simulate } from "../../roles/simulation/simulate.ts";
import { type Family, type Strategy, strategyAt, strategyOf } from "../../roles/simulation/strategy.ts";
import { tally } from "../../roles/simulation/tally.ts";
import { World } from "../../roles/simulation/world.ts";
import type { CommandContext } from "../context.ts";
import { table } from "../output.ts";

export type SimulateOptions = { strategies: number; seed: string; scenario?: Family; only?: string };

/** `assay simulate` */
export async function simulateStrategies(context: CommandContext, options: SimulateOptions): Promise<number> {
  const { output, signal } = context;
  const world = await World.open((line) => output.detail(line));
  context.onClose(() => world.close());
  if (options.only !== undefined)
    return await replay(context, world, strategyAt(options.only, options.scenario));
  const outcomes: Outcome[] = [];
  const total = options.strategies;
  for (let i = 0; i < total; i++) {
    signal.throwIfAborted();
    outcomes.push(await simulate(world, strategyOf(options.seed, i, options.scenario)));
    output.progress({ stage: "simulate", done: i + 1, total, unit: "strategies" });
  }
  const failures = outcomes.filter(({ faults }) => faults.length > 0);
  const families = tally(outcomes);
  const header = [
    "family",
    "strategies",
    "convicted",
    "paid",
    "moves",
    "gas",
    "honest gain (ether)",
    "failures",
  ];
  const rows = families.map((each) => [
    each.family,
    String(each.strategies),
    String(each.failed),
    String(each.finalised),
    String(each.moves),
    String(each.gas),
    formatEther(each.coins),
    String(each.failures),
  ]);
  output.result(
    {
      ok: failures.length === 0,
      seed: options.seed,
      strategies: total,
      transcript: families.transcript,
      families: [...families],
      failures: failures.map(({ strategy, faults }) => ({
        seed: strategy.seed,
        family: strategy.family,
        faults,
      })),
    },
    [
      ...table(header, rows),
      "",
      ...failures.flatMap(({ strategy: { seed, family }, faults }) => [
        `${family}, seed ${seed}: ${faults.join("; ")}`,
        `  assay simulate --scenario ${family} --only ${seed}`,
      ]),
      `${total - failures.length} of ${total} strategies: the honest side won and lost nothing`,
      `transcript ${families.transcript}`,
    ],
  );
  return failures.length === 0 ? exitCode.ok : exitCode.failure;
}

/** Plays one strategy, and tells all of it. */
async function replay({ output }: CommandContext, world: World, strategy: Strategy): Promise<number> {
  const outcome = await simulate(world, strategy);
  const { calls, faults, lies, status, balances, transcript } = outcome;
  const began = calls[0]?.at ?? 0;
  const rows = calls.map(({ at, who, what, gas, isRight }) => [
    `+${at - began} s`,
    who,
    isRight ? what : `${what} (reverted)`,
    String(gas),
  ]);
  output.result(outcome, [
    `${strategy.family}, seed ${strategy.seed}: ${lies.map(describeLie).join(", ") || "nothing wrong"}`,
    ...table(["when", "who", "what", "gas"], rows),
    `the job: ${status}`,
    ...balances.map(
      ({ who, coins, tokens }) => `${who}: ${formatEther(coins)} ether, ${formatEther(tokens)} tokens`,
    ),
    ...faults,
    `transcript ${transcript}`,
  ]);
  return faults.length === 0 ? exitCode.ok : exitCode.failure;
}

function describeLie({ kind, step, opcode }: Outcome["lies"][number]): string {
  return `${kind} at step ${step}${opcode === undefined ? "" : ` (${opcode})`}`;
}
