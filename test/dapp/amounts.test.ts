import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseUnits } from "viem";
import { atMost, exactly, inDigits } from "../../dapp/src/ui/amounts.ts";

const wei = (text: string) => parseUnits(text, 18);

describe("amounts on the page", () => {
  it("are written to their last digit where they are signed", () => {
    assert.equal(exactly(wei("1234567.000000000000000001")), "1,234,567.000000000000000001");
    assert.equal(exactly(0n), "0");
    assert.equal(exactly(wei("0.5")), "0.5");
  });

  it("are rounded up where something costs at most so much", () => {
    assert.equal(atMost(wei("100.00001")), "100.0001");
    assert.equal(atMost(wei("99.99999")), "100");
    assert.equal(atMost(1n), "0.0001");
    assert.equal(atMost(wei("12.5")), "12.5");
    assert.equal(atMost(0n), "0");
  });

  it("of gas say how much it is, however little", () => {
    assert.equal(inDigits(wei("0.000012345")), "0.0000124");
    assert.equal(inDigits(wei("0.000012")), "0.000012");
    assert.equal(inDigits(21_000n), "0.000000000000021");
    assert.equal(inDigits(1n), "0.000000000000000001");
    assert.equal(inDigits(wei("0.9999")), "1");
    assert.equal(inDigits(wei("12.34567")), "12.35");
    assert.equal(inDigits(0n), "0");
  });
});
