import { bytesToHex } from "viem";
import { addressOf, encodeCall } from "../../chain/contracts.ts";
import type { StorageWriter } from "../../storage/client/client.ts";

export type RegisterParameters = {
  /** libp2p peer id, multihash bytes. */
  peerId: Uint8Array;
  /** Multiaddr under which the node is reached. */
  endpoint: string;
  /** Tokens that the operator should have staked in all, in token units. */
  stake: bigint;
};

/** Bit of the storage role in an operator's role mask. */
const storageRole = 1;

/**
 * Brings an operator to the state that a storage node needs: registered with this identity and with at least this much
 * stake. What is so already is left alone.
 */
export async function registerStorageOperator(
  { account, contracts, deployment, queue }: StorageWriter,
  { peerId, endpoint, stake }: RegisterParameters,
): Promise<void> {
  const operator = account.address;
  const known = await contracts.Staking.read.operatorOf([operator]);
  const identity = bytesToHex(peerId);
  const name = `${identity}:${endpoint}`;
  if (!known.active) {
    const call = encodeCall(deployment, "Staking", "register", [storageRole, identity, endpoint]);
    await queue.send({ ...call, key: `register:${name}`, description: "registering the operator" });
  } else {
    const [knownPeer, knownEndpoint] = await contracts.Staking.read.identityOf([operator]);
    if (knownPeer !== identity || knownEndpoint !== endpoint || (known.roles & storageRole) === 0) {
      const call = encodeCall(deployment, "Staking", "update", [
        known.roles | storageRole,
        identity,
        endpoint,
      ]);
      // The same identity may come back after another one: the block tells the two intents apart.
      const key = `update:${name}:${knownPeer}:${knownEndpoint}`;
      await queue.send({ ...call, key, description: "updating the operator's identity" });
    }
  }
  const missing = stake - known.stake;
  if (missing <= 0n) return;
  const key = `stake:${known.stake}:${missing}`;
  const staking = addressOf(deployment, "Staking");
  const approve = encodeCall(deployment, "AssayToken", "approve", [staking, missing]);
  await queue.send({ ...approve, key: `approve-${key}`, description: "approving the stake" });
  const call = encodeCall(deployment, "Staking", "stake", [missing]);
  await queue.send({ ...call, key, description: "staking" });
}
