import type { Address } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";

/** A job's deposit is so many times its performance bond (contracts/jobs/JobTable.sol). */
const performanceDivisor = 10n;

/** What work locks of an operator's stake. */
export type Terms = {
  /** Tokens for each bundle of a new dataset. */
  readonly bundleStake: bigint;
  /** For a job: hundredths of its price, and tokens at least. */
  readonly stakePercent: number;
  readonly minimumStake: bigint;
  /** What conduct multiplies a job's stake by, in hundredths. */
  readonly multiplier: bigint;
};

/** How much more work a stake can stand for. */
export type Capacity = {
  readonly bundles: bigint;
  /** Jobs at once, of those that lock least, and what each of them locks; undefined where any number may. */
  readonly jobs: bigint | undefined;
  readonly leastStake: bigint;
  /** The highest price of one more job whose deposit is its price; undefined where there is not stake enough for any. */
  readonly highestPrice: bigint | undefined;
};

/** What the free part of a stake can stand for, as the contracts count it. */
export function capacityOf(free: bigint, terms: Terms): Capacity {
  const { bundleStake, stakePercent, minimumStake, multiplier } = terms;
  const leastStake = upTo(minimumStake * multiplier, 100n);
  const lockedFor = (price: bigint) => {
    const usual = upTo(price * BigInt(stakePercent), 100n);
    const stake = upTo((usual > minimumStake ? usual : minimumStake) * multiplier, 100n);
    return stake + upTo(price, performanceDivisor);
  };
  return {
    bundles: free / bundleStake,
    jobs: leastStake === 0n ? undefined : free / leastStake,
    leastStake,
    // The bond alone keeps the price below this.
    highestPrice:
      free < leastStake
        ? undefined
        : greatest(free * performanceDivisor, (price) => lockedFor(price) <= free),
  };
}

/** The greatest number up to a bound that is so; 0 is, and so is all below one that is. */
function greatest(bound: bigint, isSo: (number: bigint) => boolean): bigint {
  let [low, high] = [0n, bound];
  while (low < high) {
    const middle = upTo(low + high, 2n);
    if (isSo(middle)) low = middle;
    else high = middle - 1n;
  }
  return low;
}

/** a / b, rounded up. */
function upTo(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}

/** What the contracts ask of an operator for new work. */
export async function readTerms(
  { DatasetRegistry, JobRegistry }: Pick<Contracts, "DatasetRegistry" | "JobRegistry">,
  account: Address,
): Promise<Terms> {
  const [{ bundleStake }, { stakePercent, minimumStake }, multiplier] = await Promise.all([
    DatasetRegistry.read.parameters(),
    JobRegistry.read.parameters(),
    JobRegistry.read.multiplierOf([account]),
  ]);
  return { bundleStake, stakePercent, minimumStake, multiplier };
}
