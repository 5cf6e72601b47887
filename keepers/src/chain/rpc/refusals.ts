import { explainRevert } from "../revert.ts";
import type { RpcRequest } from "./endpoint.ts";
import { causesOf, isBlockMissing, isFinalAnswer, isTooManyResults, textOf } from "./errors.ts";

/** The kind of a refusal after which less is asked for. */
export const tooMany = "too many results";

/** What nodes word differently and mean alike. */
const kinds: readonly (readonly [string, RegExp])[] = [
  ["known", /already known|already imported|known transaction/i],
  ["nonce", /nonce/i],
  ["funds", /insufficient funds/i],
  ["fee", /underpriced|fee cap|max fee|base ?fee/i],
  ["gas", /intrinsic gas|gas limit|exceeds block|out of gas|gas required/i],
  ["sender", /invalid sender/i],
];

/**
 * What a refusal says of the chain, as a vote: by what the contract gave, or by its kind, so that one that lies makes no majority
 * of two that refuse for different reasons. Undefined where it says nothing of the chain: what this program asks is well formed, and
 * whoever calls it malformed has only not answered.
 */
export function refusalKind(request: RpcRequest, error: unknown): string | undefined {
  if (!isFinalAnswer(error) || isBlockMissing(request, error)) return undefined;
  const isLogs = request.method === "eth_getLogs";
  if (isLogs && isTooManyResults(error)) return tooMany;
  const revert = explainRevert(error);
  if (revert !== undefined) return isLogs ? undefined : `reverted:${revert.data ?? "0x"}`;
  const text = textOf(error);
  return kinds.find(([, words]) => words.test(text))?.[0];
}

/** Whether a node lacks the method that it was asked for (EIP-1474): it is no worse for other ones. */
export function isMethodMissing(error: unknown): boolean {
  return [...causesOf(error)].some(({ code }) => code === -32601 || code === -32004);
}

/** Refusals by their kind. */
export class Refusals {
  readonly #byKind = new Map<string, unknown[]>();

  /** @returns how many of this kind there are by now */
  add(kind: string, reason: unknown): number {
    const alike = this.#byKind.get(kind) ?? [];
    alike.push(reason);
    this.#byKind.set(kind, alike);
    return alike.length;
  }

  get count(): number {
    return [...this.#byKind.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** The first one of the kind that most give. */
  most(): unknown {
    return [...this.#byKind.values()].reduce((most, each) => (each.length > most.length ? each : most))[0];
  }
}
