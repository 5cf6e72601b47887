import { BadInputError } from "../../core/errors.ts";
import { type Conduct, searchConducts } from "./adversaries.ts";
import type { Timing } from "./agent.ts";
import { Dice } from "./dice.ts";
import { type TinyJobName, tinyJobNames } from "./tiny-programs.ts";

/** What is tried against the honest side. */
export const families = {
  lie: "a provider lies about any step, node or element, and plays the dispute to its end",
  withheld: "a provider lies and publishes no leaves",
  accused: "challengers accuse an honest provider",
  sybils: "many accounts accuse an honest provider at once",
  race: "a lying provider has friends convict it first",
  copycat: "others challenge what the honest challenger challenges, just before or after it",
  crowd: "a lying provider's friends open challenges to stretch its clock",
  vanish: "a provider goes away at some stage",
  offline: "the honest side comes back only in the last second of the grace",
} as const;
export type Family = keyof typeof families;
export const familyNames = Object.keys(families) as Family[];

/** A challenger in a strategy. */
export type Rival = {
  readonly plot: "sham" | "mistaken" | "right" | "silent";
  /** "wrong": the first wrong interval; undefined: the whole trace. */
  readonly interval: number | "wrong" | undefined;
  readonly opens: number | "before" | "after";
  readonly conduct: Conduct;
  /** Whether the provider answers it at once. */
  readonly isFriend: boolean;
};

/** All that a simulated run is made of; it follows from the seed. */
export type Strategy = {
  readonly seed: string;
  readonly family: Family;
  readonly job: TinyJobName;
  /** How many lies the provider's run is made of; none: it is honest. */
  readonly lies: number;
  /** What of the leaves can be fetched. */
  readonly leaves: "published" | "withheld" | "others";
  /** Whether the salts are known, as after a committee had them opened. */
  readonly areSaltsKnown: boolean;
  readonly provider: Conduct;
  /** Whether the provider commits at all. */
  readonly commits: boolean;
  readonly rivals: readonly Rival[];
  readonly honest: Timing;
  /** Whether the honest challenger challenges in the last second in which it may. */
  readonly isLate: boolean;
};

const honestConduct: Conduct = {
  timing: "prompt",
  mood: 0,
  silentFrom: undefined,
  garbage: 0,
  tilt: 0n,
  search: "own",
};

/** Strategy number `index` of a seed: families take turns, everything else is drawn. */
export function strategyOf(seed: string, index: number, only?: Family): Strategy {
  const own = `${seed}:${index}`;
  return strategyFrom(own, only ?? familyNames[index % familyNames.length]!);
}

/** The strategy that a failure names, by its seed and its place: "7:19". */
export function strategyAt(seed: string, family?: Family): Strategy {
  const index = Number(seed.slice(seed.lastIndexOf(":") + 1));
  if (!Number.isInteger(index) || index < 0) {
    throw new BadInputError(`${seed} is no seed of a strategy.`, {
      next: 'It is a seed and a number, such as "1:19".',
    });
  }
  return strategyFrom(seed, family ?? familyNames[index % familyNames.length]!);
}

/** The strategy of a family that one seed stands for. */
function strategyFrom(seed: string, family: Family): Strategy {
  const dice = new Dice(seed, "strategy");
  const job = dice.chance(70) ? "mlp" : dice.pick(tinyJobNames);
  const base: Strategy = {
    seed,
    family,
    job,
    lies: dice.chance(80) ? 1 : dice.int(2, 3),
    leaves: "published",
    areSaltsKnown: dice.chance(70),
    provider: anyConduct(dice),
    commits: true,
    rivals: [],
    honest: dice.chance(70) ? "prompt" : dice.pick(["window", "grace"] as const),
    isLate: dice.chance(15),
  };
  switch (family) {
    case "lie":
      return { ...base, rivals: several(dice, 0, dice.chance(30) ? 2 : 0, (d) => anyRival(d)) };
    case "withheld":
      return { ...base, leaves: dice.pick(["withheld", "others"] as const) };
    case "accused":
      return honestly(
        base,
        several(dice, 1, 3, (d) => anyRival(d)),
        dice,
      );
    case "sybils":
      return honestly(
        base,
        several(dice, 4, 20, (d) => anyRival(d)),
        dice,
      );
    case "race":
      return { ...base, rivals: several(dice, 1, 3, (d) => friend(d, "right")) };
    case "copycat":
      return { ...base, rivals: several(dice, 1, 4, (d) => copycat(d)) };
    case "crowd":
      return { ...base, rivals: several(dice, 4, 20, (d) => crowdMember(d)) };
    case "vanish":
      return { ...base, ...vanishing(dice) };
    case "offline": {
      const isHonest = dice.chance(50);
      const late: Strategy = { ...base, honest: "grace", isLate: true };
      return isHonest
        ? honestly(
            late,
            several(dice, 1, 6, (d) => anyRival(d)),
            dice,
          )
        : late;
    }
  }
}

function honestly(base: Strategy, rivals: readonly Rival[], dice: Dice): Strategy {
  const leaves = dice.chance(20) ? "withheld" : "published";
  return { ...base, lies: 0, leaves, provider: honestConduct, rivals };
}

function several<T>(dice: Dice, low: number, high: number, make: (dice: Dice, i: number) => T): T[] {
  return Array.from({ length: dice.int(low, high) }, (_, i) => make(dice.apart(`rival ${i}`), i));
}

function anyConduct(dice: Dice): Conduct {
  return {
    timing: dice.pick(["prompt", "prompt", "window", "grace"] as const),
    mood: dice.pick([0, 30, 100]),
    silentFrom: dice.chance(25) ? dice.int(1, 12) : undefined,
    garbage: dice.pick([0, 0, 20]),
    tilt: dice.chance(30) ? BigInt(dice.pick([-1, 1, 1_000])) : 0n,
    search: dice.apart("search").pick(searchConducts),
  };
}

function anyRival(dice: Dice): Rival {
  return {
    plot: dice.pick(["sham", "sham", "sham", "mistaken", "right", "silent"] as const),
    interval: dice.chance(15) ? undefined : dice.int(0, 7),
    opens: dice.int(60, 200_000),
    conduct: anyConduct(dice),
    isFriend: false,
  };
}

/** One of the provider's own, which is to be first. */
function friend(dice: Dice, plot: Rival["plot"]): Rival {
  return {
    plot,
    interval: "wrong",
    opens: dice.pick(["before", "after", 60] as const),
    conduct: { ...honestConduct, silentFrom: dice.chance(25) ? dice.int(1, 7) : undefined },
    isFriend: dice.chance(80),
  };
}

function copycat(dice: Dice): Rival {
  const conduct = dice.chance(70) ? honestConduct : anyConduct(dice);
  const opens = dice.pick(["before", "after"] as const);
  return { plot: "right", interval: "wrong", opens, conduct, isFriend: false };
}

function crowdMember(dice: Dice): Rival {
  return {
    plot: dice.pick(["silent", "sham", "right"] as const),
    interval: dice.chance(50) ? "wrong" : dice.int(0, 7),
    opens: dice.pick(["before", "after", dice.int(60, 100_000)] as const),
    conduct: anyConduct(dice),
    isFriend: dice.chance(50),
  };
}

function vanishing(dice: Dice): Partial<Strategy> {
  const stage = dice.int(0, 3);
  if (stage === 0) return { commits: false };
  const silent = { ...honestConduct, silentFrom: dice.int(1, 10) };
  if (stage === 1) return { provider: silent };
  // It is right, but does not answer whoever asks; nobody honest does.
  if (stage === 2) return { lies: 0, provider: honestConduct, rivals: [], leaves: "withheld" };
  return { provider: { ...silent, silentFrom: 1 }, leaves: "withheld" };
}
