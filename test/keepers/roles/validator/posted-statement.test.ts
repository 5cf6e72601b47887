import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import {
  type Address,
  decodeFunctionData,
  encodeFunctionData,
  type Hex,
  hexToBytes,
  keccak256,
  pad,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { addressOf } from "../../../../keepers/src/chain/contracts.ts";
import type { Endpoint } from "../../../../keepers/src/chain/rpc/endpoint.ts";
import {
  addKeys,
  addSignatures,
  type G1Words,
  keyOf,
  sign,
  signatureDomain,
} from "../../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawnCommittee,
  intervalsOf,
  maskOf,
  messageOf,
  statementTree,
} from "../../../../keepers/src/core/attestation/statement.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { leavesOf } from "../../../../keepers/src/roles/validator/desk.ts";
import { Prosecutor, type ProsecutorParts } from "../../../../keepers/src/roles/validator/prosecutor.ts";
import { ByzantineChain } from "../../chain/byzantine-chain.ts";
import { ManualClock } from "../../chain/fixtures.ts";
import { account, contextOf } from "../doubles.ts";

const size = 3;
const liar = 1;
const secrets = Array.from({ length: size }, (_, i) => BigInt(1_000 + i));
const draw: DrawnCommittee = {
  ...{ chainId: 1n, contract: account(9), jobId: 1n, attempt: 1n, seed: keccak256("0x01") },
  ...{ traceRoot: keccak256("0x02"), intervals: 8, checks: 2, members: secrets.map((_, i) => BigInt(i + 1)) },
};
const committee = addressOf(contextOf(account(1), {}).context.deployment, "Committee");
const signers = secrets.map((_, position) => position);

/** What all members state, the liar one thing or another. */
function statement(word: string) {
  const members = signers.map((position) => ({
    position,
    digests: intervalsOf(draw, position).map((interval) =>
      keccak256(pad(`0x${Buffer.from(`${position === liar ? word : "right"}/${interval}`).toString("hex")}`)),
    ),
  }));
  const leaves = leavesOf(draw, members as never);
  const root: Hex = `0x${Buffer.from(statementTree(draw, leaves).root).toString("hex")}`;
  const message = hexToBytes(messageOf(draw, maskOf(signers), root));
  const signature = addSignatures(secrets.map((secret) => sign(secret, signatureDomain, message)));
  return { leaves, root, message, signature };
}

const kept = statement("one thing");
const posted = statement("another");

function attest(signature: G1Words, key = addKeys(secrets.map(keyOf)).g2): Hex {
  const args = { members: maskOf(signers), root: posted.root, signers: maskOf(signers), signature, key };
  return encodeFunctionData({ abi: abis.Committee, functionName: "attest", args: [1n, args] });
}

describe("a member whose second statement is in a transaction alone", () => {
  let sent: { data?: Hex }[];

  beforeEach(() => {
    sent = [];
  });

  /** Has it prosecuted by what endpoints show of the transaction, each its own. */
  async function prosecute(to: Address, ...shown: ((json: object, trace: object) => unknown)[][]) {
    const { context, queue } = contextOf(account(1), {
      Committee: { drawOf: () => ({ liars: 0n, signers: maskOf(signers), root: posted.root }) },
    });
    const sender = privateKeyToAccount(pad("0xa11ce", { size: 32 }));
    const chain = new ByzantineChain(sender, 1);
    const data = attest(posted.signature);
    const hash = await chain.add(
      await sender.signTransaction({
        ...{ type: "eip1559", chainId: 1, nonce: 5, to, data },
        ...{ gas: 21_000n, maxFeePerGas: 10n, maxPriorityFeePerGas: 1n },
      }),
    );
    const { json } = chain.known.get(hash)!;
    const trace = { type: "CALL", to, calls: [{ type: "CALL", to: committee, input: data }] };
    const endpoints = shown.map(
      ([transaction, traced], i): Endpoint => ({
        name: `n${i}`,
        async request({ method }) {
          if (method === "eth_chainId") return "0x1";
          return method === "debug_traceTransaction" ? traced!(json, trace) : transaction!(json, trace);
        },
      }),
    );
    const parts = {
      ...{ ...context, client: await connectChain({ chainId: 1, endpoints, clock: new ManualClock() }) },
      all: { draw: async () => draw },
      book: { leaves: () => posted.leaves },
      sworn: { of: () => [{ position: liar, leaves: kept.leaves, signers, signature: kept.signature }] },
      committees: {
        attestedIn: () => hash,
        keyOf: (id: bigint) => keyOf(secrets[Number(id) - 1]!),
      },
    };
    await new Prosecutor(parts as unknown as ProsecutorParts).prosecute({} as JobRecord, 1n);
    sent = queue.sent;
  }

  function slashed(): void {
    assert.equal(sent.length, 1);
    const { functionName, args } = decodeFunctionData({ abi: abis.Committee, data: sent[0]!.data! });
    assert.equal(functionName, "slashEquivocation");
    const statements = (args as readonly unknown[]).slice(4) as { statement: { signature: G1Words } }[];
    assert.deepEqual(
      statements.map((each) => each.statement.signature),
      [kept.signature, posted.signature],
    );
  }

  const honest = (json: object) => json;
  const traced = (_: object, trace: object) => trace;
  const own = attest(sign(5n, signatureDomain, posted.message), keyOf(5n).g2);

  it("is slashed by it", async () => {
    await prosecute(committee, [honest, traced]);
    slashed();
  });

  it("attack: is slashed although one endpoint shows another call, or none", async () => {
    for (const lie of [
      (json: object) => ({ ...json, to: account(7) }),
      (json: object) => ({ ...json, input: own }),
      () => null,
    ]) {
      await prosecute(committee, [lie, () => null], [honest, traced], [honest, traced]);
      slashed();
    }
  });

  it("attack: is slashed although one endpoint shows other calls of a contract that made it, or none", async () => {
    for (const calls of [[], [{ type: "CALL", to: committee, input: own }]]) {
      const lie = (_: object, trace: object) => ({ ...trace, calls });
      await prosecute(account(7), [honest, lie], [honest, traced], [honest, traced]);
      slashed();
    }
  });

  it("is accused of nothing by what nobody of the committee has signed", async () => {
    const lie = (_: object, trace: object) => ({
      ...trace,
      calls: [{ type: "CALL", to: committee, input: own }],
    });
    await prosecute(account(7), [honest, lie]);
    assert.deepEqual(sent, []);
  });
});
