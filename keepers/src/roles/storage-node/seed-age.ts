import type { Contracts } from "../../chain/contracts.ts";

/** Chain seconds after which no reorganisation takes back what was seen: far more than one of any chain that is deployed on. */
export const reorganisable = 900n;

/**
 * Chain seconds after its request from which on a seed is of no use to anybody: an audit takes none that comes later than the
 * delay within which a dataset is closed, a committee none that comes later than validators may leave after.
 */
export function seedAge(contracts: Pick<Contracts, "DatasetRegistry" | "ValidatorSet">): Promise<bigint> {
  const known = ages.get(contracts);
  if (known !== undefined) return known;
  const age = readAge(contracts);
  ages.set(contracts, age);
  age.catch(() => ages.delete(contracts));
  return age;
}

/** The contracts never change it. */
const ages = new WeakMap<object, Promise<bigint>>();

async function readAge({
  DatasetRegistry,
  ValidatorSet,
}: Pick<Contracts, "DatasetRegistry" | "ValidatorSet">): Promise<bigint> {
  const delays = [DatasetRegistry.read.closeDelay(), ValidatorSet.read.exitDelay()];
  const [closeDelay, exitDelay] = (await Promise.all(delays)).map(BigInt) as [bigint, bigint];
  return closeDelay > exitDelay ? closeDelay : exitDelay;
}
