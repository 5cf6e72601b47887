import type { Plan } from "./conduct.ts";
import type { Exploit } from "./exploits.ts";
import { exploits } from "./exploits.ts";
import { Ground } from "./ground.ts";
import type { Patch } from "./patched.ts";
import { drawPlan } from "./plan.ts";
import type { WalkOutcome } from "./walk.ts";
import { tokens } from "./world.ts";

/** What must have happened in so many walks, so that they say something; in hundredths of a walk. */
const floors = { accepted: 6_000, delivered: 25 };
/** Different functions of contracts that walks must have reached, where there are enough of them. */
const leastReached = 45;
const enough = 100;
/** Walks between two lines about them. */
const told = 50;
/** Times at which a strategy is begun until it pays: with the next drand round others are drawn. */
const [starts, startSeconds] = [6, 60];
/** Random walks after which a contract without its remedy must have been seen to fail. */
const mostTried = 150;
/** Seed of the random walks that exploits name. */
const onRecord = "1";

export type ExploitReport = {
  readonly name: string;
  /** Nobody honest loses by it, and it does not pay. */
  readonly closed: boolean;
  /** It pays again in a copy without its remedy; null when there was none. */
  readonly reopens: boolean | null;
  /** How many random walks it takes until one sees that the remedy is missing; null when none of those played does. */
  readonly noticedBy: number | null;
};

export type Report = {
  readonly walks: number;
  readonly seed: string;
  /** Tokens. */
  readonly worstLoss: number;
  readonly worstProfit: number;
  readonly accepted: number;
  readonly delivered: number;
  readonly reached: readonly string[];
  readonly exploits: readonly ExploitReport[];
  readonly faults: readonly string[];
  readonly ok: boolean;
};

export type RunOptions = {
  readonly walks: number;
  readonly seed: string;
  /** Whether remedies are taken out of copies, and whether random walks must notice as well. */
  readonly copies: "none" | "directed" | "random";
  readonly say: (line: string) => void;
};

/** Random walks, every known exploit, and both again without each remedy. */
export async function run({ walks, seed, copies, say }: RunOptions): Promise<Report> {
  const ground = new Ground();
  const outcomes: WalkOutcome[] = [];
  const faults: string[] = [];
  const directed: { exploit: Exploit; closed: boolean }[] = [];
  const reports: ExploitReport[] = [];
  try {
    for (let i = 0; i < walks; i++) {
      const outcome = await ground.walk(drawPlan(`${seed}:${i}`));
      outcomes.push(outcome);
      faults.push(...outcome.faults.map((fault) => `${outcome.plan.seed}: ${fault}`));
      if ((i + 1) % told === 0) say(`${i + 1} walks, ${faults.length} faults`);
    }
    for (const exploit of exploits) {
      const { faults: found } = await ground.walk(exploit.plan);
      directed.push({ exploit, closed: found.length === 0 });
      say(`${exploit.name}: ${found.length === 0 ? "closed" : found.join("; ")}`);
    }
    for (const { exploit, closed } of directed) {
      const { reopens, noticedBy } =
        exploit.patch === undefined || copies === "none"
          ? { reopens: null, noticedBy: null }
          : await withoutRemedy(ground, exploit, seed, copies);
      if (reopens !== null) {
        const seen = noticedBy === null ? "no random walk notices" : `random walk ${noticedBy} notices`;
        say(`${exploit.name}, without its remedy: ${reopens ? "pays again" : "still fails"}; ${seen}`);
      }
      reports.push({ name: exploit.name, closed, reopens, noticedBy });
    }
  } finally {
    await ground.close();
  }
  faults.push(...faultsOf(reports, directed));
  const sum = (of: (outcome: WalkOutcome) => number) => outcomes.reduce((total, each) => total + of(each), 0);
  const [accepted, delivered] = [sum((each) => each.accepted), sum((each) => each.delivered)];
  const reached = [...new Set(outcomes.flatMap((each) => [...each.reached]))].sort();
  if (accepted * 100 < floors.accepted * walks) faults.push(`only ${accepted} moves were accepted`);
  if (delivered * 100 < floors.delivered * walks)
    faults.push(`only ${delivered} right results were paid for`);
  if (walks >= enough && reached.length < leastReached)
    faults.push(`only ${reached.length} functions were reached`);
  return {
    ...{ walks, seed, accepted, delivered, reached, exploits: reports, faults, ok: faults.length === 0 },
    worstLoss: most(outcomes.map(({ loss }) => loss)),
    worstProfit: most(outcomes.map(({ profit }) => profit)),
  };
}

/** What a remedy is there for must fail with it and pay without it, and random walks must notice that it is missing. */
function faultsOf(reports: readonly ExploitReport[], directed: readonly { exploit: Exploit }[]): string[] {
  return reports.flatMap(({ name, closed, reopens, noticedBy }, i) => {
    if (directed[i]!.exploit.patch === undefined) return [];
    if (!closed) return [`${name}: this pays`];
    if (reopens === false) return [`${name}: without its remedy it still fails`];
    const isMissed = reopens !== null && noticedBy === null;
    return isMissed ? [`${name}: without its remedy no random walk notices`] : [];
  });
}

/** Whether the strategy pays when its remedy is missing, and after how many random walks one notices as well. */
async function withoutRemedy(
  ground: Ground,
  { plan, patch, noticedAt }: Extract<Exploit, { patch: Patch }>,
  seed: string,
  copies: "directed" | "random",
): Promise<Pick<ExploitReport, "reopens" | "noticedBy">> {
  await ground.change(patch);
  const isSeen = async (name: string) => (await ground.walk(drawPlan(name))).faults.length > 0;
  const reopens = await paysOnce(ground, plan);
  if (copies === "directed") {
    return { reopens, noticedBy: (await isSeen(`${onRecord}:${noticedAt}`)) ? noticedAt + 1 : null };
  }
  for (let i = 0; i < mostTried; i++) {
    if (await isSeen(`${seed}:${i}`)) return { reopens, noticedBy: i + 1 };
  }
  return { reopens, noticedBy: null };
}

/** Whether it pays, whoever is drawn for what. */
async function paysOnce(ground: Ground, plan: Plan): Promise<boolean> {
  for (let start = 0; start < starts; start++) {
    if ((await ground.walk(plan, start * startSeconds)).faults.length > 0) return true;
  }
  return false;
}

function most(amounts: readonly bigint[]): number {
  const largest = amounts.reduce((top, each) => (each > top ? each : top), 0n);
  return Number((largest * 1_000n) / tokens) / 1_000;
}
