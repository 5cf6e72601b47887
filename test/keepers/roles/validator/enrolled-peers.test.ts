import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type Address, bytesToHex, type Hex } from "viem";
import {
  EnrolledPeers,
  type EnrolledPeersParts,
  onDutyOf,
  operatorsOf,
} from "../../../../keepers/src/roles/validator/enrolled-peers.ts";
import { account } from "../doubles.ts";
import { ToldCommittees } from "./told-committees.ts";

describe("the peers of validators", () => {
  const identities = new Map<Address, Hex>();
  let reads: Address[];
  let failing: Address | undefined;
  const contracts = {
    Staking: {
      read: {
        identityOf: async ([operator]: [Address]) => {
          reads.push(operator);
          if (operator === failing) throw new Error("no endpoint answers");
          return [identities.get(operator) ?? "0x", ""];
        },
      },
    },
  } as unknown as EnrolledPeersParts["contracts"];

  beforeEach(() => {
    reads = [];
    failing = undefined;
  });

  afterEach(() => {
    identities.clear();
  });

  async function register(operator: Address): Promise<string> {
    const peer = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
    identities.set(operator, bytesToHex(peer.toMultihash().bytes));
    return peer.toString();
  }

  it("are read once for a while, those of new ones at once, and forgotten with who has gone", async () => {
    const [one, other] = [account(1), account(2)];
    const [first, second] = [await register(one), await register(other)];
    const peers = new EnrolledPeers({ contracts });
    assert.equal(peers.has(first), false);
    await peers.look([one]);
    await peers.look([one, other]);
    await peers.look([one, other]);
    assert.deepEqual(reads, [one, other]);
    assert.deepEqual([peers.has(first), peers.has(second)], [true, true]);
    await peers.look([other]);
    assert.deepEqual([peers.has(first), peers.has(second)], [false, true]);
  });

  it("attack: are known although one of them names no peer, and another cannot be read", async () => {
    const all = [account(1), account(2), account(3)];
    failing = all[0];
    identities.set(all[1]!, "0x1234");
    const peer = await register(all[2]!);
    const peers = new EnrolledPeers({ contracts });
    await assert.rejects(peers.look(all), /no endpoint answers/);
    assert.equal(peers.has(peer), true);
    failing = undefined;
    const late = await register(all[0]!);
    await peers.look(all);
    assert.equal(peers.has(late), true);
  });

  it("are told apart from those of members on duty, which are read first and are no longer than their draw", async () => {
    const [one, other, member] = [account(1), account(2), account(3)];
    const enrolled = await register(one);
    const onDuty = await register(member);
    const peers = new EnrolledPeers({ contracts });
    await peers.look([one, other, member], [member]);
    assert.equal(reads[0], member);
    const known = () => [enrolled, onDuty].map((peer) => [peers.has(peer), peers.isOnDuty(peer)]);
    assert.deepEqual(known(), [
      [true, false],
      [true, true],
    ]);
    await peers.look([one, other, member]);
    assert.deepEqual(known(), [
      [true, false],
      [true, false],
    ]);
  });

  it("are those of who can be drawn, and of members on duty", () => {
    const told = new ToldCommittees();
    for (const id of [1, 2, 3]) {
      told.tell("ValidatorSet", "Enrolled", { id: BigInt(id), operator: account(id), place: 1n, key: {} });
      told.tell("ValidatorSet", "WeightSet", {
        id: BigInt(id),
        weight: id === 1 ? 1n : 0n,
        fromRotation: 1n,
      });
    }
    const draw = { jobId: 1n, attempt: 1n };
    told.tell("Committee", "CommitteeDrawn", { ...draw, seed: "0x01", members: [2n], deadline: 9n });
    assert.deepEqual(operatorsOf(told.ledger), [account(1), account(2)]);
    assert.deepEqual(onDutyOf(told.ledger), [account(2)]);
    told.tell("Committee", "CommitteeDismissed", draw);
    assert.deepEqual(operatorsOf(told.ledger), [account(1)]);
    assert.deepEqual(onDutyOf(told.ledger), []);
    told.close();
  });
});
