import { addressOf } from "../../chain/contracts.ts";
import { chainTime, type DutyContext } from "./context.ts";
import type { Candidate } from "./repair-list.ts";

export type MomentParts = Pick<DutyContext, "client" | "contracts" | "deployment" | "operator">;

/** What is the same for all vacancies in one look at the chain. */
export type Moment = {
  /** Chain time, seconds. */
  readonly now: bigint;
  readonly epoch: number;
  /** Epochs under whose seeds may be proven, the present one first, and what this operator had staked when each was asked for. */
  readonly seeds: readonly { readonly epoch: number; readonly staked: bigint }[];
  /** Stake that can be locked, base units; none while the operator is not eligible. */
  readonly lockable: bigint;
};

/** The epoch under whose seed a vacancy can be proven now: the present one, or the one before it. */
export function provableEpoch(
  { provableFrom, stake }: Pick<Candidate, "provableFrom" | "stake">,
  { seeds }: Moment,
): number | undefined {
  return seeds.find(({ epoch, staked }) => epoch >= provableFrom && staked >= stake)?.epoch;
}

/** Looks at the chain. */
export async function readMoment(parts: MomentParts): Promise<Moment> {
  const { client, contracts, operator, deployment } = parts;
  const { StorageAudit, Staking } = contracts;
  const [now, epoch, isEligible, lockable] = await Promise.all([
    chainTime(client),
    StorageAudit.read.currentEpoch(),
    Staking.read.isEligible([operator, 0, 0n]),
    Staking.read.lockable([operator, addressOf(deployment, "BundleRegistry")]),
  ]);
  const seeds: { epoch: number; staked: bigint }[] = [];
  for (const each of epoch === 0 ? [epoch] : [epoch, epoch - 1]) {
    const [, opensAt] = await StorageAudit.read.windowOf([each]);
    if (opensAt === 0n) continue;
    const { openedAt } = await StorageAudit.read.epochOf([each]);
    seeds.push({ epoch: each, staked: await Staking.read.stakeAt([operator, openedAt - 1n]) });
  }
  return { now, epoch, seeds, lockable: isEligible ? lockable : 0n };
}
