/** Coalitions that are out for something: enough parties for it, and what is likely to serve it; the rest is drawn. */
import type { Dice } from "../../keepers/src/roles/simulation/dice.ts";
import { nodes, strangers, validators, workers } from "./cast.ts";
import type { Plan, Trick } from "./conduct.ts";
import { n } from "./datasets.ts";
import { honestPlan } from "./exploits.ts";
import { lies } from "./runs.ts";

type Aim = (dice: Dice) => Partial<Plan>;

/** Bundles of the training data, and those of the archive behind them. */
const [dataPlaced, allPlaced] = [2, 5];
/** Intervals of the job that is trained. */
const intervals = 3;
const day = 86_400;

const at = (event: string, delay: number, nth = 0) => ({ event, nth, delay });
const later = (dice: Dice) => dice.pick([1, 60, 3_600]);

/** Who stores wants fees for less than it was given. */
const storing: Aim = (dice) => {
  const coalition = dice.chance(75) ? nodes : nodes.filter(() => dice.chance(60));
  const counts = dice.chance(45);
  const [forgets, refusesCells, leaves] = [!counts && dice.chance(85), dice.chance(15), dice.chance(50)];
  const covers = coalition.map((by): Trick => {
    return { kind: "cover", by, when: at("BundlePlaced", dice.pick([1, 60]), allPlaced) };
  });
  const diluted: Trick = {
    ...{ kind: "dilute", by: coalition[0] ?? strangers[0]! },
    when: at("BundlePlaced", 60, allPlaced),
  };
  const claims = dice.apart("cover").chance(40) ? [diluted] : covers;
  const gone: Trick = {
    ...{ kind: "surrender", by: coalition[0] ?? strangers[0]!, dataset: "trained" },
    when: at(dice.pick(["TimeoutCalled", "TimeoutCalled", "EpochOpened"]), dice.int(1, 3_000)),
  };
  return {
    ...{ coalition, hasArchive: counts, sale: forgets ? "none" : dice.pick(["none", "direct"]) },
    nodes: Object.fromEntries(coalition.map((node) => [node, { forgets, refusesCells }])),
    tricks: [...(counts ? claims : []), ...(forgets && leaves ? [gone] : [])],
  };
};

/** Who has a job wants its price for less than its work, or wants nobody else to have it. */
const training: Aim = (dice) => {
  const way = dice.pick(["lies", "stores", "gives up", "gives up", "waits", "walks"]);
  const isHarm = way === "waits" || way === "walks";
  const givesUp = way === "gives up";
  const instalments = dice.pick(givesUp ? [1, 2] : [1, 1, 2, 3]);
  const isDivided = givesUp && instalments > 1;
  const conduct = {
    asks: dice.pick(isHarm ? [0, 1, 50, 100] : [1, 50, 100]),
    ...(way === "lies" ? { lie: dice.int(1, lies) } : {}),
    // Who has been paid a part may leave with it.
    neverCommits: way === "waits" || (isDivided && dice.chance(60)),
    neverLocks: way === "walks",
    storesGarbage: way === "stores",
    withholdsLeaves: dice.chance(15),
  };
  const tricks: Trick[] = [];
  if (givesUp) {
    const stored = isDivided ? "CheckpointPosted" : "JobCommitted";
    tricks.push({
      ...{ kind: "surrender", by: "node0", dataset: "result" },
      when: at(stored, dice.int(1, 3_000)),
    });
  } else if (way === "walks" && dice.chance(50)) {
    tricks.push({ kind: "unbond", by: "provider", when: at("JobMatched", dice.int(0, 200)) });
  }
  const hasNodes = givesUp || dice.chance(45);
  return {
    ...{ coalition: ["provider", ...(hasNodes ? nodes : [])], tricks, instalments },
    ...{ sale: dice.pick(["direct", "auction"]), providers: { provider: conduct } },
  };
};

/** Who ordered a job wants its provider not to be paid. */
const ordering: Aim = (dice) => {
  if (dice.chance(40)) return { coalition: ["consumer"], hidesOrder: true };
  // At least as many others as a result has bundles: a provider has somebody to bring it to.
  const count = dice.int(2, nodes.length - n);
  const rest = [...nodes];
  const friends = Array.from({ length: count }, () => rest.splice(dice.int(0, rest.length - 1), 1)[0]!);
  const comeAndGo: Trick = {
    ...{ kind: "turnover", by: friends[0]!, times: dice.pick([3, 40, 40]) },
    when: at("JobCommitted", dice.int(1, 3_000)),
  };
  return {
    ...{ coalition: ["consumer", ...friends], tricks: [comeAndGo] },
    sale: dice.pick(["direct", "auction"]),
  };
};

/** Most of a committee wants a wrong result attested. */
const attesting: Aim = (dice) => {
  const members = dice.chance(75) ? validators : validators.filter(() => dice.chance(70));
  const silence = Array.from({ length: intervals }, () => (dice.chance(50) ? dice.int(1, 3) : 100));
  const challenge: Trick = {
    ...{ kind: "challenge", by: dice.pick(strangers), interval: dice.int(0, intervals - 1) },
    when: at(dice.pick(["JobCommitted", "RootSigned", "RootSigned"]), later(dice)),
  };
  return {
    ...{ coalition: ["provider", ...members], hasCommittee: true },
    providers: {
      provider: { asks: dice.pick([10, 50, 100]), lie: dice.int(1, lies), silentFrom: silence },
    },
    members: Object.fromEntries(members.map((member) => [member, { echoes: true }])),
    tricks: dice.chance(80) ? [challenge] : [],
  };
};

/** Somebody without a part in a job wants to do harm for nothing. */
const meddling: Aim = (dice) => {
  const hasCommittee = dice.chance(50);
  const trick = (): Trick => {
    const by = dice.pick(strangers);
    const kind = dice.pick([
      "challenge",
      "extend",
      "retrieve",
      "squat",
      ...(hasCommittee ? (["accuse", "accuse"] as const) : (["challenge"] as const)),
    ]);
    const committed = at("JobCommitted", later(dice));
    switch (kind) {
      case "accuse": {
        const own = { position: dice.int(0, 3), number: dice.int(0, 1) };
        return { kind, by, when: at("RootSigned", later(dice)), ...own };
      }
      case "extend": {
        const dataset = dice.pick(["trained", "result", "result"] as const);
        return { kind, by, when: committed, dataset, epochs: dice.int(1, 10_000) };
      }
      case "retrieve":
        return { kind, by, when: committed, dataset: "result", index: dice.int(0, dataPlaced) };
      case "squat":
        return {
          kind,
          by,
          when: at("BundleVacated", later(dice)),
          dataset: "trained",
          index: dice.int(0, dataPlaced),
        };
      default:
        return { kind: "challenge", by, when: committed, interval: dice.int(0, intervals - 1) };
    }
  };
  return { hasCommittee, tricks: Array.from({ length: dice.int(1, 3) }, trick) };
};

/** Whoever can stop something stops it while somebody has to act. */
const stopping: Aim = (dice) => {
  const sale = dice.pick(["direct", "auction"] as const);
  if (dice.chance(65)) {
    const contract = dice.pick(["Staking", "Staking", "JobRegistry", "JobRegistry", "Market"] as const);
    const when = at(dice.pick(["JobMatched", "JobMatched", "JobMatched", "JobLocked"]), dice.int(0, 200));
    return { coalition: ["deployer"], sale, tricks: [{ kind: "pause", by: "deployer", contract, when }] };
  }
  const when = at(dice.pick(["JobMatched", "JobLocked"]), 0);
  return { sale, tricks: [{ kind: "halt", by: strangers[0]!, seconds: dice.int(day / 6, 3 * day), when }] };
};

/** An owner wants to pay less than it has said. */
const paying: Aim = (dice) => ({
  ...{ coalition: ["owner"], swapsTerms: true, sale: dice.pick(["none", "direct"]) },
  hasArchive: dice.chance(25),
});

/** Who works wants to be paid twice, or who has others work wants to pay once less. */
const employing: Aim = (dice) => {
  const sale = dice.pick(["direct", "auction"] as const);
  if (dice.chance(50)) {
    const [worker, isAgain] = [dice.pick(workers), dice.chance(80)];
    const conduct = { claimsAgain: isAgain, demandsFirst: !isAgain || dice.chance(30) };
    return { coalition: [worker], sale, hasCrew: true, workers: { [worker]: conduct } };
  }
  const forgetsWorker = dice.chance(60);
  const conduct = { forgetsWorker, showsOlder: !forgetsWorker || dice.chance(30) };
  return { coalition: ["provider"], sale, hasCrew: true, providers: { provider: conduct } };
};

/** Each as often as it has ways. */
const aims: readonly Aim[] = [
  ...[storing, storing, storing, training, training, training, training, training, training],
  ...[ordering, ordering, ordering, attesting, attesting, attesting, meddling, meddling, meddling],
  ...[stopping, stopping, stopping, paying, employing, employing],
];

/** A strategy with an aim; all of it follows from the seed. */
export function drawAimed(seed: string, dice: Dice): Plan {
  return { ...honestPlan, seed, ...dice.pick(aims)(dice) };
}
