import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SwitchChainError, UserRejectedRequestError } from "viem";
import { switchWords } from "../../dapp/src/wallet/words.ts";

const said = (code: number, message: string) => Object.assign(new Error(message), { code });
const words = (error: unknown) => switchWords(error, "Linea Sepolia", 59_141);

describe("why a wallet did not come to the page's network", () => {
  it("tells a rejection from a network that the wallet does not take", () => {
    assert.match(words(new UserRejectedRequestError(said(4001, "User rejected."))), /^You rejected it/);
    // The library wraps whatever adding a network ends with as a rejection.
    const refused = words(new UserRejectedRequestError(said(-32_601, "Method not found")));
    assert.match(refused, /did not come to Linea Sepolia\. It says: Method not found\. .*chain id 59141/);
    assert.match(words(new SwitchChainError(said(-32_603, "broken."))), /It says: broken\. Choose/);
    assert.match(words(said(-32_002, "Request already pending")), /earlier question open/);
  });
});
