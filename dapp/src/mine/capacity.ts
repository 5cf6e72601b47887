import type { Address } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";

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
  /** The highest price of one more job; undefined where there is not stake enough for any. */
  readonly highestPrice: bigint | undefined;
};

/** What the free part of a stake can stand for, as the contracts count it. */
export function capacityOf(free: bigint, terms: Terms): Capacity {
  const { bundleStake, stakePercent, minimumStake, multiplier } = terms;
  const leastStake = upTo(minimumStake * multiplier, 100n);
  const before = (free * 100n) / multiplier;
  return {
    bundles: free / bundleStake,
    jobs: leastStake === 0n ? undefined : free / leastStake,
    leastStake,
    highestPrice: free < leastStake ? undefined : (before * 100n) / BigInt(stakePercent),
  };
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
