import { type Address, formatUnits } from "viem";
import { type Contracts, connectContracts } from "../../chain/contracts.ts";
import { positionsIn } from "../validator/committees.ts";
import type { Exchange } from "../validator/exchange.ts";
import { hurrySeed } from "./hurry-seed.ts";
import type { EmbeddedNetwork } from "./network.ts";
import { committeeWindows } from "./parameters.ts";

/** What became of a member of a committee. */
export type Seat = {
  readonly member: string;
  /** Intervals of the trace that it was given. */
  readonly intervals: readonly number[];
  /** What it said of them, next to what the provider opened. */
  readonly said: "agrees" | "differs" | "silent";
  /** Tokens that it is paid. */
  readonly fee: string;
};

export type VerdictParameters = {
  readonly network: EmbeddedNetwork;
  readonly jobId: bigint;
  /** Validators that are at work. */
  readonly members: readonly Address[];
  readonly exchange: Pick<Exchange, "digests">;
  until(what: string, isSo: () => Promise<boolean>): Promise<void>;
  advancePast(timestamp: bigint): Promise<void>;
};

/** `Phase.Signing` of `IAttestation`. */
const signing = 2;

/** Leads a committee of which some are away to where fewer than all are enough, as fast as its members are. */
export async function awaitVerdict(parameters: VerdictParameters): Promise<void> {
  const { network, jobId, members, exchange, until, advancePast } = parameters;
  const { Committee, CommitRevealBeacon } = connectContracts(network.client.public, network.deployment);
  const { attempt } = await Committee.read.jobOf([jobId]);
  const name = { jobId, attempt: BigInt(attempt) };
  const { requestId } = await Committee.read.drawOf([jobId, name.attempt]);
  const session = await CommitRevealBeacon.read.sessionOf([requestId]);
  await hurrySeed({ network, session, until });
  await until("the draw", async () => (await Committee.read.jobOf([jobId])).phase === signing);
  const waiting = new Set(members);
  await until("the members to check their intervals", async () => {
    const asked = [...waiting].map(async (member) => {
      await exchange.digests(member, name, AbortSignal.timeout(5_000));
      waiting.delete(member);
    });
    await Promise.allSettled(asked);
    return waiting.size === 0;
  });
  const { deadline } = await Committee.read.jobOf([jobId]);
  await advancePast(BigInt(deadline - committeeWindows.signingWindow + committeeWindows.signingWindow / 4));
}

/** What became of each member of a committee that has attested. */
export async function seatsOf(
  { Committee, ValidatorSet }: Contracts,
  jobId: bigint,
  nameOf: (account: Address) => string,
): Promise<Seat[]> {
  const { attempt: latest, feePerInterval } = await Committee.read.jobOf([jobId]);
  const attempt = BigInt(latest);
  const { signers } = await Committee.read.drawOf([jobId, attempt]);
  const [revealed] = await Committee.getEvents.DigestsRevealed({ jobId, attempt }, { fromBlock: 0n });
  const differing = revealed?.args.differing ?? 0n;
  const members = await Committee.read.membersOf([jobId, attempt]);
  const [signed, different] = [positionsIn(signers), positionsIn(differing)];
  return Promise.all(
    members.map(async (id, position) => {
      const { operator } = await ValidatorSet.read.validatorOf([id]);
      const intervals = await Committee.read.intervalsOf([jobId, attempt, BigInt(position)]);
      const agrees = signed.includes(position) && !different.includes(position);
      return {
        member: nameOf(operator),
        intervals: intervals.map(Number),
        said: agrees ? "agrees" : signed.includes(position) ? "differs" : "silent",
        fee: formatUnits(agrees ? BigInt(intervals.length) * feePerInterval : 0n, 18),
      } as const;
    }),
  );
}
