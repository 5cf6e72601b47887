import { BaseError, ChainMismatchError, InsufficientFundsError, UserRejectedRequestError } from "viem";
import { explainRevert } from "../../../keepers/src/chain/revert.ts";
import { messageOf } from "../ui/message.ts";

/** What went wrong between page, wallet and chain, and what it means for the visitor. */
export function walletWords(error: unknown): string {
  const base = error instanceof BaseError ? error : undefined;
  if (base?.walk((each) => each instanceof UserRejectedRequestError) || codeOf(error) === 4001)
    return "You rejected it in the wallet. Nothing was sent.";
  if (
    base?.walk((each) => each instanceof ChainMismatchError) ||
    nameOf(error) === "ConnectorChainMismatchError"
  )
    return "The wallet is on another chain than this page. Nothing was sent.";
  if (nameOf(error) === "ConnectorAccountNotFoundError")
    return "The wallet no longer gives the account that this was prepared for. Nothing was sent.";
  if (base?.walk((each) => each instanceof InsufficientFundsError))
    return "The account has too little of the chain's coin for this. Nothing was sent.";
  if (codeOf(error) === -32_002)
    return "The wallet still has an earlier question open: answer that one first.";
  const revert = explainRevert(error);
  if (revert !== undefined) return `The contract would refuse this: ${revert.reason}.`;
  return messageOf(error);
}

/** Why a wallet did not come to the page's network, and what can be done about it. */
export function switchWords(error: unknown, name: string, chainId: number): string {
  // The library calls it a rejection when a wallet cannot add a network: the wallet's own error is below it.
  const { code, message } = innermost(error);
  if (code === 4001) return "You rejected it in the wallet: it is on the other network still.";
  if (code === -32_002) return "The wallet still has an earlier question open: answer that one first.";
  const said = message === "" ? "" : ` It says: ${message.replace(/\.?$/, ".")}`;
  return `The wallet did not come to ${name}.${said} Choose that network in the wallet itself (chain id ${chainId}), or use another wallet.`;
}

/** The error that all began with: code and message of what the wallet itself gave. */
function innermost(error: unknown): { readonly code: unknown; readonly message: string } {
  let last = error;
  for (
    let next = error;
    typeof next === "object" && next !== null;
    next = (next as { cause?: unknown }).cause
  )
    last = next;
  return { code: codeOf(last), message: messageOf(last) };
}

function codeOf(error: unknown): unknown {
  for (
    let each = error;
    typeof each === "object" && each !== null;
    each = (each as { cause?: unknown }).cause
  )
    if ("code" in each) return each.code;
  return undefined;
}

function nameOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "name" in error ? error.name : undefined;
}
