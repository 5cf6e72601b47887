import { type Address, type Hex, isAddress, isAddressEqual, isHex } from "viem";
import type { ChainClient } from "./client.ts";
import { type SignedTransaction, signedTransaction } from "./signed-transaction.ts";

/** A call in a trace, as `callTracer` gives it; nothing of it is believed before it is looked at. */
type Frame = {
  readonly type?: unknown;
  readonly to?: unknown;
  readonly input?: unknown;
  readonly error?: unknown;
  readonly calls?: unknown;
};

type Client = Pick<ChainClient, "agreed" | "poll">;

/**
 * Inputs of the calls that a transaction has made to a contract, in their order: its own, or those that other contracts
 * made for it, where endpoints can trace transactions (`debug_traceTransaction`). Nothing proves a trace: what each endpoint shows
 * is given, and whoever asks looks for what is signed.
 *
 * @returns the calls as each endpoint shows them; none when another contract was called, and no endpoint says what that has called
 */
export async function callsInto(
  client: Client,
  hash: Hex,
  contract: Address,
): Promise<readonly (readonly Hex[])[]> {
  const transaction = await called(client, hash);
  if (transaction === undefined) return [];
  const { to, data } = transaction;
  if (to && isAddressEqual(to, contract)) return [[data]];
  const traces = await client.poll("debug_traceTransaction", [hash, { tracer: "callTracer" }]);
  return traces.flatMap((trace) =>
    trace.status === "fulfilled" && isFrame(trace.value) ? [inputsTo(contract, trace.value)] : [],
  );
}

/**
 * Whom a transaction called, and with what. Its hash proves what any one endpoint shows; of a kind whose bytes are not known here,
 * what a quorum says is believed.
 */
async function called(
  client: Client,
  hash: Hex,
): Promise<Pick<SignedTransaction, "to" | "data"> | undefined> {
  for (const answer of await client.poll("eth_getTransactionByHash", [hash])) {
    const found = answer.status === "fulfilled" ? (answer.value as { hash?: string } | null) : null;
    const signed = found === null ? undefined : signedTransaction(found);
    if (signed?.hash === hash.toLowerCase()) return signed;
  }
  const agreed = await client.agreed("eth_getTransactionByHash", [hash]);
  const { to, input } = (agreed ?? {}) as { to?: Address | null; input?: Hex };
  return input === undefined ? undefined : { to: to ?? undefined, data: input };
}

function inputsTo(contract: Address, root: Frame): Hex[] {
  const inputs: Hex[] = [];
  const left: Frame[] = [root];
  for (let frame = left.pop(); frame !== undefined; frame = left.pop()) {
    // What was taken back has called nothing.
    if (frame.error !== undefined) continue;
    const isThere = typeof frame.to === "string" && isAddress(frame.to) && isAddressEqual(frame.to, contract);
    if (frame.type === "CALL" && isThere && isHex(frame.input)) inputs.push(frame.input);
    // One by one: a call with as many arguments as there are frames would fail.
    const calls = Array.isArray(frame.calls) ? (frame.calls as unknown[]) : [];
    for (let i = calls.length - 1; i >= 0; i--) {
      const call = calls[i];
      if (isFrame(call)) left.push(call);
    }
  }
  return inputs;
}

function isFrame(value: unknown): value is Frame {
  return typeof value === "object" && value !== null;
}
