import { type Address, type Hex, keccak256, stringToHex, zeroHash } from "viem";
import { encodeCall } from "../../chain/contracts.ts";
import { AssayError } from "../../core/errors.ts";
import { openLeaf } from "../../training/dispute/leaves.ts";
import { FalseChallenger, LyingProvider, type Plot } from "./adversaries.ts";
import type { Agent, Offer, Scene } from "./agent.ts";
import { Dice } from "./dice.ts";
import { Bystander, HonestChallenger, HonestProvider } from "./honest.ts";
import { anyLie, type Lie, togetherOf } from "./lies.ts";
import type { Rival, Strategy } from "./strategy.ts";
import { Table } from "./table.ts";
import { ToldRun } from "./told-run.ts";
import { type OpenJob, otherAccounts, price, type World } from "./world.ts";

/** Who did what, and what it cost. */
export type SimulatedCall = {
  readonly at: number;
  readonly who: string;
  readonly what: string;
  readonly gas: number;
  readonly isRight: boolean;
};

/** How somebody honest came out of it, against what it would have without the adversaries. */
export type Balance = {
  readonly who: string;
  /** Wei gained, gas paid. */
  readonly coins: bigint;
  /** Token base units gained. */
  readonly tokens: bigint;
};

export type Outcome = {
  readonly strategy: Strategy;
  readonly lies: readonly Pick<Lie, "kind" | "step" | "opcode">[];
  /** Whether what was committed to is wrong in a way that can be shown. */
  readonly isWrong: boolean;
  readonly status: string;
  /** What went wrong for the honest side; none when it won and lost nothing. */
  readonly faults: readonly string[];
  readonly balances: readonly Balance[];
  readonly calls: readonly SimulatedCall[];
  /** Moves of disputes, in all. */
  readonly moves: number;
  readonly gas: number;
  /** Seconds from the commitment to the end. */
  readonly duration: number;
  /** Hash of all transactions: the same seed gives the same. */
  readonly transcript: Hex;
};

/** Runs in a hundred whose lies may be such that nobody can notice them. */
const harmless = 10;
const mostTries = 5;
/** More than any strategy needs. */
const mostCalls = 2_000;

/** Plays one strategy on a world, from jobs in training to the last payment. */
export async function simulate(world: World, strategy: Strategy): Promise<Outcome> {
  await world.reset();
  return await new Simulation(world, strategy).run();
}

/** What the provider of a strategy commits to. A lie that nobody could notice is told anew, most of the time. */
function tell({ job, right }: OpenJob, { seed, lies: count }: Strategy): [readonly Lie[], ToldRun] {
  const dice = new Dice(seed, "lies");
  const tries = dice.chance(harmless) ? 1 : mostTries;
  let lies: readonly Lie[] = [];
  let told = right;
  for (let i = 0; i < tries && count > 0 && !isSeen(told, right); i++) {
    lies = Array.from({ length: count }, (_, j) => anyLie(job, dice.apart(`lie ${i} ${j}`)));
    told = new ToldRun(job, keccak256(stringToHex(`secret ${job.name}`)), { ...togetherOf(lies), right });
  }
  return [lies, told];
}

/** Whether a state of a trace is another one. */
function isSeen(told: ToldRun, right: ToldRun): boolean {
  return told.publishedLeaves.some(({ stateRoot }, i) => stateRoot !== right.publishedLeaves[i]!.stateRoot);
}

class Simulation {
  readonly #world: World;
  readonly #strategy: Strategy;
  readonly #scene: Scene;
  readonly #claimed: ToldRun;
  readonly #lies: readonly Lie[];
  readonly #calls: SimulatedCall[] = [];
  readonly #tried = new Set<string>();

  constructor(world: World, strategy: Strategy) {
    this.#world = world;
    this.#strategy = strategy;
    const open = world.jobs.get(strategy.job)!;
    const table = new Table(open.jobId, world);
    this.#scene = { world, table, open, challengeUntil: 0 };
    [this.#lies, this.#claimed] = tell(open, strategy);
  }

  async run(): Promise<Outcome> {
    const { provider, challenger, consumer } = this.#world;
    const people = { provider: provider.address, challenger: challenger.address, consumer: consumer.address };
    const { commits } = this.#strategy;
    if (commits) await this.#commit();
    const before = await this.#wealthOf(people);
    const began = this.#world.chain.now;
    if (commits) await this.#play(this.#agents());
    else await this.#expire();
    const duration = this.#world.chain.now - began;
    await this.#withdraw(challenger.address);
    const balances = await this.#balances(people, before);
    const { status } = this.#scene.table;
    const faults = [...this.#judge(balances), ...(await this.#books())];
    return {
      strategy: this.#strategy,
      lies: this.#lies.map(({ kind, step, opcode }) => ({ kind, step, opcode })),
      isWrong: this.#wrongInterval() !== undefined,
      status,
      faults,
      balances,
      calls: this.#calls,
      moves: this.#calls.filter(({ what, isRight }) => isRight && what.startsWith("play")).length,
      gas: this.#calls.reduce((sum, { gas }) => sum + gas, 0),
      duration,
      transcript: this.#world.chain.transcript,
    };
  }

  /** The first interval that can be shown to be wrong. */
  #wrongInterval(): number | undefined {
    const { right } = this.#scene.open;
    const [own, claimed] = [right.publishedLeaves, this.#claimed.publishedLeaves];
    const isSeen = this.#strategy.areSaltsKnown && this.#strategy.leaves === "published";
    const leaf = own.findIndex(({ stateRoot, h }, i) => {
      const other = claimed[i]!;
      return stateRoot !== other.stateRoot || (isSeen && h !== other.h);
    });
    // Leaves that are withheld are asked for only when the result itself is wrong.
    const isResult = own.at(-1)!.stateRoot !== claimed.at(-1)!.stateRoot;
    if (leaf < 0 || (this.#strategy.leaves !== "published" && !isResult)) return undefined;
    return leaf - 1;
  }

  async #commit(): Promise<void> {
    const { world, open } = this.#scene;
    const leaves = this.#claimed.publishedLeaves;
    const commitment = {
      traceRoot: this.#claimed.traceRoot,
      first: openLeaf(leaves, 0),
      last: openLeaf(leaves, leaves.length - 1),
      leavesDigest: this.#strategy.leaves === "withheld" ? zeroHash : keccak256(this.#claimed.traceRoot),
      resultId: world.resultId,
    };
    const call = encodeCall(world.deployment, "JobRegistry", "commit", [open.jobId, commitment]);
    const { isRight } = await this.#send("provider", "commit", world.provider.address, call);
    if (!isRight) throw new AssayError("the commitment was refused");
    const job = await world.contracts.JobRegistry.read.jobOf([open.jobId]);
    this.#scene.challengeUntil = Number(job.challengeUntil);
  }

  #agents(): Agent[] {
    const { seed, lies, provider, rivals, leaves, areSaltsKnown, honest, isLate } = this.#strategy;
    const scene = this.#scene;
    const claimed = this.#claimed;
    const others = rivals.slice(0, otherAccounts).map((rival, i) => this.#rival(rival, i));
    const friends = others.filter((_, i) => rivals[i]!.isFriend).map(({ account }) => account);
    const defender =
      lies === 0
        ? new HonestProvider(scene, honest)
        : new LyingProvider(scene, claimed, provider, friends, seed);
    const watcher = new HonestChallenger(scene, {
      timing: honest,
      // Leaves of another trace are as good as none: whoever fetches them holds them against the root.
      leaves: leaves === "published" ? claimed.publishedLeaves : undefined,
      salts: areSaltsKnown ? claimed : undefined,
      claimed,
      isLate,
    });
    const patience = 3_600;
    // Who comes first has its way when two act in the same second: the honest side never does.
    return [...others, defender, watcher, new Bystander(scene, patience)];
  }

  #rival(rival: Rival, i: number): FalseChallenger {
    const { seed } = this.#strategy;
    const { open, world } = this.#scene;
    const wrong = this.#wrongInterval() ?? 0;
    const interval = rival.interval === "wrong" ? wrong : rival.interval;
    const name = `rival ${i}`;
    const mistaken = (): Plot => {
      const lie = anyLie(open.job, new Dice(seed, `mistake ${i}`));
      const secret = keccak256(stringToHex(name));
      return {
        kind: "mistaken",
        own: new ToldRun(open.job, secret, { ...togetherOf([lie]), right: open.right }),
      };
    };
    return new FalseChallenger(this.#scene, {
      name,
      account: world.other(i).address,
      plot: rival.plot === "mistaken" ? mistaken() : { kind: rival.plot },
      conduct: rival.conduct,
      interval: interval === undefined ? undefined : interval % open.job.intervals,
      opens: rival.opens,
      claimed: this.#claimed,
      seed: `${seed} ${name}`,
    });
  }

  /** Lets everybody act, the earliest first, until nobody has anything left to do. */
  async #play(agents: readonly Agent[]): Promise<void> {
    for (let calls = 0; calls < mostCalls; calls++) {
      let next: { agent: Agent; offer: Offer } | undefined;
      for (const agent of agents) {
        for (const offer of await agent.offers()) {
          if (this.#tried.has(`${agent.name}/${offer.key}`)) continue;
          if (next === undefined || offer.at < next.offer.at) next = { agent, offer };
        }
      }
      if (next === undefined) return;
      const { agent, offer } = next;
      this.#tried.add(`${agent.name}/${offer.key}`);
      this.#world.chain.moveTo(offer.at);
      await this.#send(agent.name, offer.key, offer.from, offer.call);
    }
    throw new AssayError(`strategy ${this.#strategy.seed} does not end`);
  }

  /** What is left when the provider never commits. */
  async #expire(): Promise<void> {
    const { world, open } = this.#scene;
    const job = await world.contracts.JobRegistry.read.jobOf([open.jobId]);
    const bystander = world.bystander.address;
    world.chain.moveTo(Number(job.deadline) + 1);
    const late = encodeCall(world.deployment, "JobRegistry", "callTimeout", [open.jobId]);
    await this.#send("bystander", "callTimeout", bystander, late);
    world.chain.moveTo(this.#scene.table.graceEnds! + 1);
    const call = encodeCall(world.deployment, "JobRegistry", "expire", [open.jobId]);
    await this.#send("bystander", "expire", bystander, call);
  }

  async #withdraw(account: Address): Promise<void> {
    const { world } = this.#scene;
    if ((await world.contracts.DisputeGame.read.creditOf([account])) === 0n) return;
    const call = encodeCall(world.deployment, "DisputeGame", "withdraw", [account]);
    await this.#send("honest challenger", "withdraw", account, call);
  }

  async #send(who: string, what: string, from: Address, call: Offer["call"]) {
    const sent = await this.#world.chain.send(from, call);
    this.#calls.push({ at: sent.at, who, what, gas: sent.gas, isRight: sent.isRight });
    this.#scene.table.read(sent.logs);
    return sent;
  }

  /** Coins and tokens of the honest, with what contracts owe them and hold for them. */
  async #wealthOf(people: Record<string, Address>): Promise<Map<string, { coins: bigint; tokens: bigint }>> {
    const { chain, contracts } = this.#world;
    const { AssayToken, DisputeGame, Escrow, Staking } = contracts;
    const wealth = new Map<string, { coins: bigint; tokens: bigint }>();
    for (const [who, account] of Object.entries(people)) {
      const [balance, credit, held, escrow, staking, operator] = await Promise.all([
        chain.balanceOf(account),
        DisputeGame.read.creditOf([account]),
        AssayToken.read.balanceOf([account]),
        Escrow.read.creditOf([account]),
        Staking.read.creditOf([account]),
        Staking.read.operatorOf([account]),
      ]);
      wealth.set(who, { coins: balance + credit, tokens: held + escrow + staking + operator.stake });
    }
    return wealth;
  }

  /** Against what each would have if nothing had been tried: its bond or deposit back, and the price paid. */
  async #balances(
    people: Record<string, Address>,
    before: ReadonlyMap<string, { coins: bigint; tokens: bigint }>,
  ): Promise<Balance[]> {
    const { open, world } = this.#scene;
    const { providerBond } = await world.contracts.JobRegistry.read.parametersOf([open.jobId]);
    const after = await this.#wealthOf(people);
    const isHonest = this.#strategy.lies === 0 && this.#strategy.commits;
    const isPaid = this.#scene.table.status === "Finalised";
    return Object.keys(people).flatMap((who) => {
      if (who === "provider" && !isHonest) return [];
      const gained = {
        coins: after.get(who)!.coins - before.get(who)!.coins,
        tokens: after.get(who)!.tokens - before.get(who)!.tokens,
      };
      if (who === "provider")
        return [{ who, coins: gained.coins - providerBond, tokens: gained.tokens - price }];
      if (who === "consumer" && !isPaid) return [{ who, ...gained, tokens: gained.tokens - price }];
      return [{ who, ...gained }];
    });
  }

  /** What the honest side has to complain of. */
  #judge(balances: readonly Balance[]): string[] {
    const faults: string[] = [];
    const { status, challenges } = this.#scene.table;
    const isFailed = status === "Failed";
    const isExpected = this.#wrongInterval() !== undefined || !this.#strategy.commits;
    if (isExpected && !isFailed) faults.push(`the job ended as ${status}, although its result is wrong`);
    // A provider that is not honest may be convicted for its silence, whatever it has committed to.
    const isHonest = this.#strategy.lies === 0;
    if (!isExpected && isHonest && status !== "Finalised")
      faults.push(`the job ended as ${status}, although it is right`);
    for (const { who, coins, tokens } of balances) {
      if (coins < 0n) faults.push(`the honest ${who} lost ${-coins} wei`);
      if (tokens < 0n) faults.push(`the honest ${who} lost ${-tokens} token units`);
    }
    const honest = this.#world.challenger.address;
    for (const { challenger, outcome } of challenges) {
      if (challenger === honest && outcome === "lost") faults.push("the honest challenger lost a bond");
    }
    return faults;
  }

  /** What the contracts hold that nobody owns. */
  async #books(): Promise<string[]> {
    const { contracts, chain, deployment, provider, challenger, consumer, bystander } = this.#world;
    const { DisputeGame } = contracts;
    const { table, world } = this.#scene;
    if (!table.isOver) return ["the job has no end"];
    if (table.isOwed) return ["the job's end is not settled"];
    const others = Array.from({ length: otherAccounts }, (_, i) => world.other(i));
    const sink = await DisputeGame.read.BURN_SINK();
    const accounts = [provider, challenger, consumer, bystander, ...others].map(({ address }) => address);
    const credits = await Promise.all(
      [...accounts, sink].map((account) => DisputeGame.read.creditOf([account])),
    );
    const owed = credits.reduce((sum, credit) => sum + credit, 0n);
    const bonds = await this.#bondsOfOtherJobs();
    const held = await chain.balanceOf(deployment.addresses.DisputeGame);
    return held === owed + bonds ? [] : [`the game holds ${held} wei and owes ${owed + bonds}`];
  }

  async #bondsOfOtherJobs(): Promise<bigint> {
    let bonds = 0n;
    for (const { jobId } of this.#world.jobs.values()) {
      const job = await this.#world.contracts.DisputeGame.read.jobs([jobId]);
      bonds += job[4];
    }
    return bonds;
  }
}
