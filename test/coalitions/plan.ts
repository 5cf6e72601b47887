import { Dice } from "../../keepers/src/roles/simulation/dice.ts";
import { drawAimed } from "./aims.ts";
import { nodes, type Party, providers, strangers, validators, workers } from "./cast.ts";
import type { DatasetName, Plan, ProviderConduct, Trick, Trigger, WorkerConduct } from "./conduct.ts";
import { n } from "./datasets.ts";
import { honestPlan } from "./exploits.ts";
import { lies } from "./runs.ts";

/** Events behind which something may be tried. */
const moments = [
  "BundlePlaced",
  "JobMatched",
  "JobLocked",
  "JobCommitted",
  "Challenged",
  "CommitteeDrawn",
  "RootSigned",
  "DigestsRevealed",
  "WitnessesOpened",
  "EpochOpened",
  "AuditAnswered",
  "TimeoutCalled",
  "BundleVacated",
  "RetrievalChallenged",
] as const;
/** Intervals of the job that is trained. */
const intervals = 3;
/** Hundredths of the plans with an aim that try something besides. */
const beside = 20;
/** A sequencer halts once in a walk, for as long as it likes. */
const mostHalted = 3 * 86_400;
/** A sequencer that censors one party lets it be heard before a grace is over. */
const mostCensored = 3_000;

/** Any strategy of any coalition; all of it follows from the seed. Most of them are out for something (`aims.ts`). */
export function drawPlan(seed: string): Plan {
  return new Dice(seed, "kind").chance(75) ? aimed(seed) : drawAnything(seed);
}

function aimed(seed: string): Plan {
  const plan = drawAimed(seed, new Dice(seed, "aim"));
  const dice = new Dice(seed, "beside");
  if (!dice.chance(beside)) return plan;
  const tricks = onceHalted([...plan.tricks, anyTrick(dice, plan.coalition)]);
  const isPaused = tricks.some(({ kind }) => kind === "pause") && !plan.coalition.includes("deployer");
  return { ...plan, tricks, coalition: isPaused ? [...plan.coalition, "deployer"] : plan.coalition };
}

function drawAnything(seed: string): Plan {
  const dice = new Dice(seed, "plan");
  // Who stores a result with nobody but its friends can have it back whenever it likes.
  const hasAllNodes = dice.chance(15);
  // Whose friends are most of a committee has whatever it likes attested.
  const hasAllMembers = dice.chance(15);
  const coalition = [
    ...some(dice, nodes, hasAllNodes ? 100 : 45),
    ...some(dice, validators, hasAllMembers ? 100 : 30),
    ...some(dice, providers, hasAllNodes || hasAllMembers ? 80 : 35),
    ...some(dice, ["consumer", "owner"] as const, 20),
  ] as Party[];
  const tricks = onceHalted(
    Array.from({ length: dice.int(0, 4) }, (_, i) => anyTrick(dice.apart(`trick ${i}`), coalition)),
  );
  // Whoever may pause is of the coalition where there is a pause.
  if (tricks.some(({ kind }) => kind === "pause")) coalition.push("deployer");
  const isIn = (party: Party) => coalition.includes(party);
  const sale = dice.pick(["direct", "direct", "auction", "none"] as const);
  return {
    ...honestPlan,
    ...{ seed, coalition, sale },
    hasCommittee: dice.chance(hasAllMembers ? 90 : 35),
    swapsTerms: isIn("owner") && dice.chance(50),
    hidesOrder: isIn("consumer") && dice.chance(10),
    hasCrew: dice.chance(35),
    instalments: dice.pick([1, 1, 1, 2, 3]),
    workers: conducts(workers.filter(isIn), (party) => anyWorker(dice.apart(`work of ${party}`))),
    hasArchive: sale === "none" || dice.chance(25),
    hasRival: dice.chance(50),
    providers: conducts(providers.filter(isIn), (party) => anyProvider(dice.apart(party))),
    members: conducts(validators.filter(isIn), (party) => {
      const own = dice.apart(party);
      return { echoes: own.chance(60), isSilent: own.chance(25) };
    }),
    nodes: conducts(nodes.filter(isIn), (party) => {
      const own = dice.apart(party);
      // Audits see that a result is forgotten only after a short job is paid: until then its consumer has to challenge.
      return { forgets: sale === "none" && own.chance(50), refusesCells: own.chance(40) };
    }),
    tricks,
  };
}

function onceHalted(tricks: readonly Trick[]): Trick[] {
  const first = tricks.find(({ kind }) => kind === "halt");
  return tricks.filter((trick) => trick.kind !== "halt" || trick === first);
}

function some<P>(dice: Dice, all: readonly P[], percent: number): P[] {
  return all.filter(() => dice.chance(percent));
}

function conducts<C>(parties: readonly Party[], conductOf: (party: Party) => C): Partial<Record<Party, C>> {
  return Object.fromEntries(parties.map((party) => [party, conductOf(party)]));
}

function anyProvider(dice: Dice): ProviderConduct {
  return {
    asks: dice.pick([1, 50, 90, 100]),
    hidesBid: dice.chance(10),
    neverCommits: dice.chance(15),
    neverLocks: dice.chance(10),
    ...(dice.chance(50) ? { lie: dice.int(1, lies) } : {}),
    withholdsLeaves: dice.chance(15),
    storesGarbage: dice.chance(15),
    silentFrom: Array.from({ length: intervals }, () => (dice.chance(25) ? dice.int(1, 6) : 100)),
    withholdsWitnesses: dice.chance(15),
    forgetsWorker: dice.chance(25),
    showsOlder: dice.chance(25),
  };
}

function anyWorker(dice: Dice): WorkerConduct {
  return { claimsAgain: dice.chance(40), demandsFirst: dice.chance(40) };
}

function anyTrick(dice: Dice, coalition: readonly Party[]): Trick {
  const when: Trigger = {
    event: dice.pick(moments),
    nth: dice.int(0, 2),
    delay: dice.pick([1, 60, 3_600, 90_000]),
  };
  const by = dice.pick(strangers);
  const holders = nodes.filter((node) => coalition.includes(node));
  const dataset = dice.pick(["trained", "archive"] as const satisfies readonly DatasetName[]);
  switch (
    dice.pick([
      "accuse",
      "challenge",
      "retrieve",
      "squat",
      "surrender",
      "surrender",
      "unbond",
      "censor",
      "cover",
      "extend",
      "halt",
      "pause",
    ] as const)
  ) {
    case "challenge":
      return { kind: "challenge", by, when, interval: dice.int(0, intervals - 1) };
    case "accuse": {
      const event = dice.pick(["RootSigned", "RootSigned", "DigestsRevealed"]);
      const position = dice.int(0, validators.length - 1);
      const accused = { event, nth: 0, delay: dice.pick([1, 60, 3_600]) };
      return { kind: "accuse", by, when: accused, position, number: dice.int(0, 1) };
    }
    case "retrieve":
      return { kind: "retrieve", by, when, dataset: "trained", index: dice.int(0, 2) };
    case "squat":
      return { kind: "squat", by, when, dataset, index: dice.int(0, n - 1) };
    case "surrender": {
      // A provider that stores with none but its enemies has nobody to bring its result to.
      const hasOthers =
        nodes.length - holders.length >= n || providers.every((each) => coalition.includes(each));
      if (hasOthers && dice.chance(50)) {
        const committed = { event: "JobCommitted", nth: 0, delay: dice.int(1, 3_000) };
        return { kind: "surrender", by, when: committed, dataset: "result" };
      }
      const event = dice.pick(["BundlePlaced", "TimeoutCalled"]);
      return { kind: "surrender", by, when: { event, nth: 0, delay: dice.int(1, 3_000) }, dataset };
    }
    case "unbond": {
      const own = [...coalition, by];
      return { kind: "unbond", by: dice.pick(own), when };
    }
    case "extend":
      return { kind: "extend", by, when, dataset: "trained", epochs: dice.int(1, 10_000) };
    case "pause": {
      const event = dice.pick(["JobMatched", "JobMatched", "JobLocked", "BundlePlaced"]);
      const contract = dice.pick(["Staking", "Staking", "Market", "JobRegistry"] as const);
      return { kind: "pause", by, when: { event, nth: 0, delay: dice.int(1, 200) }, contract };
    }
    case "halt": {
      const event = dice.pick(["JobMatched", "JobLocked", ...moments]);
      return { kind: "halt", by, when: { event, nth: 0, delay: 0 }, seconds: dice.int(600, mostHalted) };
    }
    case "censor": {
      const party = dice.pick(["provider", "challenger", "bystander", ...nodes] as const);
      return { kind: "censor", by, when, party, seconds: dice.int(1, mostCensored) };
    }
    case "cover": {
      const first = { event: "BundlePlaced", nth: dice.int(3, 5), delay: dice.pick([1, 60, 3_600]) };
      return { kind: "cover", by: holders.length === 0 ? by : dice.pick(holders), when: first };
    }
  }
}
