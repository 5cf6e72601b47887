import { type Address, getAddress } from "viem";
import { addressOf } from "../../keepers/src/chain/contracts.ts";
import { deployedNames } from "../../keepers/src/chain/deployment-format.ts";
import { Dice } from "../../keepers/src/roles/simulation/dice.ts";
import type { Money } from "./accounts.ts";
import { Accusations } from "./agents/accusations.ts";
import type { Agent } from "./agents/agent.ts";
import { Bystander } from "./agents/bystander.ts";
import { Challenger } from "./agents/challenger.ts";
import { Committee } from "./agents/committee.ts";
import { Consumer } from "./agents/consumer.ts";
import { Crew } from "./agents/crew.ts";
import { StorageNode } from "./agents/node.ts";
import { Owner } from "./agents/owner.ts";
import { Provider } from "./agents/provider.ts";
import { Tricks } from "./agents/tricks.ts";
import { nodes, type Party, partyNames, providers, strangers } from "./cast.ts";
import type { Plan } from "./conduct.ts";
import { settleAll } from "./finale.ts";
import { Ledger } from "./ledger.ts";
import { Scene } from "./scene.ts";
import { type CoalitionWorld, day, tokens, wealth } from "./world.ts";

/** Tokens that a whole coin is worth, at two extremes. */
export const rates = [1n, 1_000_000n] as const;

/** How somebody came out of a walk. */
export type Balance = { readonly who: Party; readonly gained: Money; readonly owed: Money };

export type WalkOutcome = {
  readonly plan: Plan;
  /** What went wrong for somebody honest; none when everybody has what is owed to it. */
  readonly faults: readonly string[];
  /** Token base units that an honest party has less than it is owed, at the rate at which that is most. */
  readonly loss: bigint;
  /** What the coalition has beyond what it is owed, charges for what it did added. */
  readonly profit: bigint;
  /** Transactions that were not refused. */
  readonly accepted: number;
  readonly refused: number;
  /** Jobs that were paid for a right result. */
  readonly delivered: number;
  /** Functions of contracts that were reached. */
  readonly reached: ReadonlySet<string>;
  readonly actions: readonly string[];
};

/** More looks than any walk takes. */
const mostLooks = 2_000;
const mostRounds = 200;
/** Seconds in which epochs are audited and missed audits judged, and after which no job is under way any more. */
const busy = 9 * day;
const longest = 60 * day;

/**
 * Plays one walk, from a deployment where everybody is registered to where everything is withdrawn.
 *
 * @param later seconds by which it begins later: committees are drawn otherwise
 */
export async function walk(world: CoalitionWorld, plan: Plan, later = 0): Promise<WalkOutcome> {
  await world.reset();
  world.chain.moveTo(world.chain.now + later);
  const epochOf = (time: number) => Math.floor((time - world.genesis) / day);
  const ledger = new Ledger(world.tariff, world.gasPrice, epochOf);
  // The deployer stays honest unless a plan says otherwise; strangers never are.
  const coalition = new Set<Party>([...plan.coalition, ...strangers]);
  const scene = new Scene(world, coalition, new Dice(plan.seed, "walk"), ledger);
  try {
    const before = await coinsOf(world);
    await play(scene, plan);
    await settleAll(scene);
    return await judge(scene, plan, before);
  } finally {
    scene.close();
  }
}

async function play(scene: Scene, plan: Plan): Promise<void> {
  const committee = new Committee(scene, plan);
  scene.committees = committee;
  // Who comes first has its way when two act in the same second: the honest side never does.
  const agents: Agent[] = [
    new Tricks(scene, plan),
    new Owner(scene, plan),
    new Consumer(scene, plan),
    ...[...strangers, ...nodes].map((node) => new StorageNode(scene, node, plan.nodes[node])),
    ...providers
      .filter((name) => name === "provider" || plan.hasRival)
      .map((name) => new Provider(scene, name, plan.providers[name])),
    committee,
    new Crew(scene, plan),
    new Challenger(scene),
    new Accusations(scene, plan),
    new Bystander(scene),
  ];
  const busyUntil = scene.now + busy;
  const latest = scene.now + longest;
  for (let looks = 0; looks < mostLooks; looks++) {
    await rest(agents, plan);
    const next = scene.nextWake();
    if (next === undefined || (scene.now > busyUntil && isIdle(scene)) || next > latest) return;
    await scene.moveTo(next);
  }
  throw new Error(`the walk ${plan.seed} does not end`);
}

/** Whether no job is under way, and nothing is left to settle. */
function isIdle({ jobs }: Scene): boolean {
  const left = [jobs.openJobs(), jobs.unsettledJobs(), jobs.openChallenges()];
  return left.every((each) => each.length === 0);
}

/** Lets everybody act until nobody has anything left to do in this second. */
async function rest(agents: readonly Agent[], plan: Plan): Promise<void> {
  for (let round = 0; round < mostRounds; round++) {
    let isDone = false;
    for (const agent of agents) isDone = (await agent.act()) || isDone;
    if (!isDone) return;
  }
  throw new Error(`the walk ${plan.seed} finds no rest`);
}

async function coinsOf(world: CoalitionWorld): Promise<Map<Party, bigint>> {
  const coins = new Map<Party, bigint>();
  for (const party of partyNames) coins.set(party, await world.chain.balanceOf(world.address(party)));
  return coins;
}

async function judge(scene: Scene, plan: Plan, before: ReadonlyMap<Party, bigint>): Promise<WalkOutcome> {
  const { world, ledger } = scene;
  const balances: Balance[] = [];
  for (const who of partyNames) {
    const address = world.address(who);
    const held = await world.contracts.AssayToken.read.balanceOf([address]);
    const coins = (await world.chain.balanceOf(address)) - before.get(who)! + gasIn(scene, address);
    const had = who === "deployer" ? world.deployersTokens : wealth;
    balances.push({ who, gained: { tokens: held - had, coins }, owed: ledger.owedTo(address) });
  }
  const faults: string[] = [];
  let loss = 0n;
  for (const { who, gained, owed } of balances) {
    if (!scene.isHonest(who)) continue;
    const missing = worst(gained, owed);
    if (missing > 0n) faults.push(`the honest ${who} has ${show(missing)} tokens less than it is owed`);
    if (missing > loss) loss = missing;
  }
  const profit = profitOf(scene, balances);
  if (profit > 0n) faults.push(`the coalition has ${show(profit)} tokens more than it is owed`);
  faults.push(...(await stuckIn(scene)));
  const rightly = scene.actions.filter(({ sent }) => sent.isRight);
  return {
    ...{ plan, faults, loss, profit, accepted: rightly.length },
    refused: scene.actions.length - rightly.length,
    delivered: ledger.delivered,
    reached: new Set(rightly.map(({ contract, name }) => `${contract}.${name}`)),
    actions: scene.actions.map((each) => describe(scene, each)),
  };
}

/** Gas of this walk alone: before it everybody has paid already. */
function gasIn(scene: Scene, address: Address): bigint {
  return scene.actions
    .filter(({ from }) => getAddress(from) === getAddress(address))
    .reduce((sum, { sent }) => sum + BigInt(sent.gas) * scene.world.gasPrice, 0n);
}

/** What is missing of what is owed, in token base units, at the worse of the two rates. */
function worst(gained: Money, owed: Money): bigint {
  const missing = rates.map((rate) => owed.tokens - gained.tokens + (owed.coins - gained.coins) * rate);
  return missing.reduce((most, each) => (each > most ? each : most));
}

/** By conservation a coalition's gain is everybody else's loss and what is not burnt; charges are what it had to lose. */
function profitOf(scene: Scene, balances: readonly Balance[]): bigint {
  const own = balances.filter(({ who }) => !scene.isHonest(who));
  const addresses = new Set(own.map(({ who }) => scene.world.address(who)));
  const charged = scene.wasSilenced()
    ? 0n
    : scene.ledger.charges
        .filter(({ who }) => addresses.has(who))
        .reduce((sum, { tokens: each }) => sum + each, 0n);
  const sum = (of: (balance: Balance) => bigint) => own.reduce((total, balance) => total + of(balance), 0n);
  const gained = { tokens: sum(({ gained: g }) => g.tokens), coins: sum(({ gained: g }) => g.coins) };
  const owed = { tokens: sum(({ owed: o }) => o.tokens), coins: sum(({ owed: o }) => o.coins) };
  const beyond = rates.map((rate) => gained.tokens - owed.tokens + (gained.coins - owed.coins) * rate);
  return beyond.reduce((most, each) => (each > most ? each : most)) + charged;
}

/** What contracts still hold when everybody has taken what is theirs. */
async function stuckIn({ world }: Scene): Promise<string[]> {
  const stuck: string[] = [];
  for (const name of deployedNames) {
    if (world.deployment.addresses[name] === undefined || name === "AssayToken") continue;
    const address = addressOf(world.deployment, name);
    const held = await world.contracts.AssayToken.read.balanceOf([address]);
    const coins = await world.chain.balanceOf(address);
    if (held !== 0n) stuck.push(`${show(held)} tokens are stuck in ${name}`);
    if (coins !== 0n) stuck.push(`${coins} wei are stuck in ${name}`);
  }
  return stuck;
}

function describe(scene: Scene, { at, from, contract, name, sent }: Scene["actions"][number]): string {
  const who = scene.partyAt(from) ?? from;
  return `${at} ${who} ${contract}.${name}${sent.isRight ? "" : " (refused)"}`;
}

function show(amount: bigint): string {
  return (Number((amount * 1_000n) / tokens) / 1_000).toString();
}
