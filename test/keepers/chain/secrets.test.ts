import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { type Address, pad } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { OperatorSecrets } from "../../../keepers/src/chain/secrets.ts";

const [mine, other] = [1, 2].map((n) => privateKeyToAccount(pad(`0x${n}`, { size: 32 }))) as [
  ReturnType<typeof privateKeyToAccount>,
  ReturnType<typeof privateKeyToAccount>,
];
const contract: Address = `0x${"0a".repeat(20)}`;
const elsewhere: Address = `0x${"0b".repeat(20)}`;

describe("secrets of an operator", () => {
  it("are the same whenever its key derives them, so that a lost disk loses none", async () => {
    const [first, second] = [await OperatorSecrets.open(mine, 1), await OperatorSecrets.open(mine, 1)];
    assert.equal(
      first.derive("beacon secret", contract, 7n, 0n),
      second.derive("beacon secret", contract, 7n, 0n),
    );
    assert.match(first.derive("bls key", contract), /^0x[0-9a-f]{64}$/);
  });

  it("differ by key, chain, contract, purpose and every part, and by where a part ends", async () => {
    const secrets = await OperatorSecrets.open(mine, 1);
    const all = [
      secrets.derive("beacon secret", contract, 7n, 0n),
      (await OperatorSecrets.open(other, 1)).derive("beacon secret", contract, 7n, 0n),
      (await OperatorSecrets.open(mine, 2)).derive("beacon secret", contract, 7n, 0n),
      secrets.derive("beacon secret", elsewhere, 7n, 0n),
      secrets.derive("bid salt", contract, 7n, 0n),
      secrets.derive("beacon secret", contract, 7n, 1n),
      secrets.derive("beacon secret", contract, 8n, 0n),
      secrets.derive("beacon secret", contract, 7n),
      secrets.derive("beacon secret", contract, "0x0102", "0x03"),
      secrets.derive("beacon secret", contract, "0x01", "0x0203"),
    ];
    assert.equal(new Set(all).size, all.length);
  });

  it("attack: are shown by nothing that a log would print of them", async () => {
    const secrets = await OperatorSecrets.open(mine, 1);
    const shown = `${JSON.stringify(secrets)}${inspect(secrets, { showHidden: true, depth: 9 })}${String(secrets)}`;
    assert.doesNotMatch(shown, /[0-9a-f]{16}/i);
    assert.doesNotMatch(shown, /root/);
  });

  it("are not derived from an account that signs differently each time", async () => {
    let count = 0;
    const random = { signTypedData: async () => pad(`0x${++count}`, { size: 65 }) };
    await assert.rejects(OperatorSecrets.open(random as never, 1), /differently each time/);
  });
});
