import { connectContracts } from "../../chain/contracts.ts";
import type { EmbeddedNetwork } from "./network.ts";

export type HurrySeedParameters = {
  readonly network: EmbeddedNetwork;
  /** Of the commit–reveal beacon; the latest by default. */
  readonly session?: bigint;
  until(what: string, isSo: () => Promise<boolean>): Promise<void>;
};

/** Waits for a seed, without waiting longer for commitments than there are storage nodes to make them. */
export async function hurrySeed({ network, session, until }: HurrySeedParameters): Promise<void> {
  const { chain, client, deployment, nodes } = network;
  const { CommitRevealBeacon } = connectContracts(client.public, deployment);
  const id = session ?? (await CommitRevealBeacon.read.sessionCount());
  if (id === 0n) return;
  const read = () => CommitRevealBeacon.read.session([id]);
  const { commitEnds } = await read();
  await until("the storage nodes to commit to a seed", async () => {
    const { committed, round, readyAt } = await read();
    return committed >= nodes.size || round > 0 || readyAt !== 0n || (await chain.now()) > commitEnds;
  });
  const missing = Number(commitEnds) + 1 - (await chain.now());
  if (missing > 0) await chain.advance(missing);
  await until("the storage nodes to reveal a seed", async () => (await read()).readyAt !== 0n);
}
