import type { Address } from "viem";
import { type Party, partyNames, validators } from "./cast.ts";
import type { Scene } from "./scene.ts";
import { day, hour } from "./world.ts";

/** Everything is over and withdrawn within so many days of what was paid for: no lock has a later end. */
const closeDelay = 10 * day;
const unbonding = 14 * day;
const exit = 5 * day;

/** Ends what is over, lets everybody leave, and has everybody take what is theirs. */
export async function settleAll(scene: Scene): Promise<void> {
  const { world, ledger } = scene;
  await scene.moveTo(world.genesis + ledger.stored.lastEpoch * day + closeDelay + hour);
  for (const bundleId of ledger.stored.bundleIds)
    await scene.send("bystander", "BundleRegistry", "release", [bundleId]);
  for (const { id, owner } of scene.datasets.values())
    await scene.send(owner, "DatasetRegistry", "close", [id]);
  for (const validator of validators) await scene.send(validator, "ValidatorSet", "resign", []);
  await scene.moveTo(scene.now + exit);
  for (const { id } of world.voters.values()) await scene.send("bystander", "ValidatorSet", "release", [id]);
  const tickets = await unbondAll(scene);
  await scene.moveTo(scene.now + unbonding);
  for (const [party, ticket] of tickets) {
    await scene.send(party, "Staking", "withdraw", [ticket, world.address(party)]);
  }
  for (const { jobId, provider } of roundsOf(scene))
    await scene.send("bystander", "WorkerRewards", "close", [jobId, provider]);
  for (const party of partyNames) await withdraw(scene, party);
  await flush(scene);
}

/** Rounds of workers' pay that somebody has opened. */
function roundsOf({ events }: Scene): { jobId: bigint; provider: Address }[] {
  return events
    .filter(({ eventName }) => eventName === "RoundOpened")
    .map(({ args }) => args as { jobId: bigint; provider: Address });
}

async function unbondAll(scene: Scene): Promise<(readonly [Party, bigint])[]> {
  const { Staking } = scene.world.contracts;
  const tickets: (readonly [Party, bigint])[] = [];
  for (const party of partyNames) {
    const address = scene.world.address(party);
    const { stake, locked } = await Staking.read.operatorOf([address]);
    if (stake > locked) await scene.send(party, "Staking", "unbond", [stake - locked]);
    for (const ticket of await Staking.read.ticketsOf([address])) tickets.push([party, ticket]);
  }
  return tickets;
}

async function withdraw(scene: Scene, party: Party): Promise<void> {
  const { contracts } = scene.world;
  const to = scene.world.address(party);
  const owes = async (
    name:
      | "Escrow"
      | "Market"
      | "DatasetRegistry"
      | "BundleRegistry"
      | "Staking"
      | "DisputeGame"
      | "MemberGame"
      | "RetrievalChallenges"
      | "WorkerRewards",
  ) => (await contracts[name].read.creditOf([to])) !== 0n;
  if (await owes("Escrow")) await scene.send(party, "Escrow", "withdraw", [to]);
  if (await owes("Market")) await scene.send(party, "Market", "withdraw", [to]);
  if (await owes("DatasetRegistry")) await scene.send(party, "DatasetRegistry", "withdrawCredit", [to]);
  if (await owes("BundleRegistry")) await scene.send(party, "BundleRegistry", "withdrawBounty", [to]);
  if (await owes("Staking")) await scene.send(party, "Staking", "withdrawCredit", [to]);
  if (await owes("DisputeGame")) await scene.send(party, "DisputeGame", "withdraw", [to]);
  if (await owes("MemberGame")) await scene.send(party, "MemberGame", "withdraw", [to]);
  if (await owes("RetrievalChallenges")) await scene.send(party, "RetrievalChallenges", "withdraw", [to]);
  if (await owes("WorkerRewards")) await scene.send(party, "WorkerRewards", "withdraw", [to]);
}

/** Burns what was to be burnt. */
async function flush(scene: Scene): Promise<void> {
  const { contracts } = scene.world;
  for (const name of ["Market", "DatasetRegistry", "BundleRegistry", "Staking", "WorkerRewards"] as const) {
    const sink = "0x000000000000000000000000000000000000dEaD";
    if ((await contracts[name].read.creditOf([sink])) === 0n) continue;
    await scene.send("bystander", name, "flushBurn", []);
  }
  for (const name of ["DisputeGame", "MemberGame"] as const) {
    const sink = await contracts[name].read.BURN_SINK();
    if ((await contracts[name].read.creditOf([sink])) === 0n) continue;
    await scene.send("bystander", name, "flushBurnt", []);
  }
}
