import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readAmount } from "../../dapp/src/mine/amount.ts";
import { readSamples } from "../../dapp/src/mine/prometheus.ts";
import { checkForm, firstForm, type OrderForm } from "../../dapp/src/order/form.ts";

const whole: OrderForm = { ...firstForm, datasetId: `0x${"a1".repeat(32)}` };

describe("an order as it is typed", () => {
  it("can be ordered as it stands, but for the dataset", () => {
    assert.ok("form" in checkForm(whole));
    const unset = checkForm(firstForm);
    assert.deepEqual("problems" in unset && Object.keys(unset.problems), ["datasetId"]);
  });

  it("says of each field what is wrong with it", () => {
    const wrong: readonly (readonly [keyof OrderForm, string, RegExp])[] = [
      ["steps", "lots", /whole number/],
      ["steps", "0", /from 1/],
      ["interval", "97", /to 96/],
      ["microBatch", "48", /power of two/],
      ["hidden", "32;16", /commas/],
      ["learningRate", "1e-3", /decimal/],
      ["price", "-5", /amount of tokens/],
      ["share", "0.8", /fraction/],
      ["threshold", "4", /more than half/],
      ["threshold", "10", /no more than all/],
      ["expiryHours", "0", /from 1/],
    ];
    for (const [field, text, expected] of wrong) {
      const checked = checkForm({ ...whole, [field]: text });
      assert.match(("problems" in checked && checked.problems[field]) || "", expected, `${field}: ${text}`);
    }
    const short = checkForm({ ...whole, auctionMinutes: "60", expiryHours: "2" });
    assert.match(("problems" in short && short.problems.expiryHours) || "", /both phases/);
  });
});

describe("an amount of tokens as it is typed", () => {
  it("is read to the last of its digits, and refused when it is none", () => {
    assert.deepEqual(readAmount(" 1,234.000000000000000001 "), { units: 1_234_000_000_000_000_000_001n });
    for (const text of ["", "0", "0.0", "-1", "1e3", "1.0000000000000000001", "NaN", "0x10"])
      assert.ok("problem" in readAmount(text), text);
    assert.ok("problem" in readAmount("2", 10n ** 18n));
  });

  it("takes commas between thousands alone: where one may be a decimal point, it says how to write it", () => {
    assert.deepEqual(readAmount("1,234,567.5"), { units: 1_234_567_500_000_000_000_000_000n });
    for (const text of [
      "0,5",
      "0,500",
      "1,5",
      "1,23",
      "1,2345",
      "1234,567",
      ",5",
      "1,",
      "1,,234",
      "1.5,000",
      "0.123,456",
    ]) {
      const read = readAmount(text);
      assert.match(("problem" in read && read.problem) || "", /after a point/, text);
    }
  });

  it("is no more than there is", () => {
    assert.deepEqual(readAmount("1", 10n ** 18n), { units: 10n ** 18n });
  });
});

describe("what a keeper says of itself", () => {
  it("is read sample by sample; what is none is left out", () => {
    const text = [
      "# HELP assay_jobs jobs",
      'assay_jobs{status="Open"} 3',
      "assay_chain_head 1.5e+3",
      "<script>alert(1)</script>",
      "",
    ].join("\n");
    assert.deepEqual(readSamples(text), [
      { name: "assay_jobs", labels: "status=Open", value: 3 },
      { name: "assay_chain_head", labels: "", value: 1_500 },
    ]);
  });
});
