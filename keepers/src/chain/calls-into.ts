import { type Address, type Hex, isAddress, isAddressEqual, isHex } from "viem";
import type { ChainClient } from "./client.ts";

/** A call in a trace, as `callTracer` gives it; nothing of it is believed before it is looked at. */
type Frame = {
  readonly type?: unknown;
  readonly to?: unknown;
  readonly input?: unknown;
  readonly error?: unknown;
  readonly calls?: unknown;
};

/**
 * Inputs of the calls that a transaction has made to a contract, in their order: its own, or those that other contracts
 * made for it, where the endpoint can trace transactions (`debug_traceTransaction`).
 *
 * @returns undefined when another contract was called, and no endpoint says what that has called
 */
export async function callsInto(
  client: Pick<ChainClient, "public">,
  hash: Hex,
  contract: Address,
): Promise<readonly Hex[] | undefined> {
  const { to, input } = await client.public.getTransaction({ hash });
  if (to && isAddressEqual(to, contract)) return [input];
  let root: unknown;
  try {
    // No method that viem knows; endpoints may not, either.
    const request = { method: "debug_traceTransaction", params: [hash, { tracer: "callTracer" }] };
    root = await client.public.request(request as never);
  } catch {
    return undefined;
  }
  if (!isFrame(root)) return undefined;
  const inputs: Hex[] = [];
  const left: Frame[] = [root];
  for (let frame = left.pop(); frame !== undefined; frame = left.pop()) {
    // What was taken back has called nothing.
    if (frame.error !== undefined) continue;
    const isThere = typeof frame.to === "string" && isAddress(frame.to) && isAddressEqual(frame.to, contract);
    if (frame.type === "CALL" && isThere && isHex(frame.input)) inputs.push(frame.input);
    if (Array.isArray(frame.calls)) left.push(...frame.calls.filter(isFrame).reverse());
  }
  return inputs;
}

function isFrame(value: unknown): value is Frame {
  return typeof value === "object" && value !== null;
}
