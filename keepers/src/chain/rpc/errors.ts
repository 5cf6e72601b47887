import { AssayError, type AssayErrorOptions, exitCode } from "../../core/errors.ts";

/** No RPC endpoint gave a usable answer. Whether a transaction got through is then unknown. */
export class RpcUnavailableError extends AssayError {
  override readonly name: string = "RpcUnavailableError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, {
      exitCode: exitCode.unavailable,
      next: "check the network connection, or configure more RPC endpoints",
      ...options,
    });
  }
}

/** An RPC endpoint gave an answer that contradicts the question, itself, or the other endpoints. */
export class InconsistentAnswerError extends AssayError {
  override readonly name: string = "InconsistentAnswerError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, {
      exitCode: exitCode.unavailable,
      next: "use another RPC endpoint if this goes on",
      ...options,
    });
  }
}

/** An RPC endpoint serves another chain than the one that was configured. */
export class WrongChainError extends AssayError {
  override readonly name: string = "WrongChainError";

  constructor(endpoint: string, actual: number, expected: number) {
    super(`the RPC endpoint ${endpoint} serves chain ${actual}, not ${expected}`, {
      exitCode: exitCode.configuration,
      next: `configure an endpoint of chain ${expected}`,
    });
  }
}

/** An HTTP endpoint asks for fewer requests. */
export class RateLimitedError extends AssayError {
  override readonly name: string = "RateLimitedError";
  /** How long the endpoint asks to be left alone, in milliseconds. */
  readonly retryAfter: number;

  constructor(endpoint: string, retryAfter: number) {
    super(`the RPC endpoint ${endpoint} limits the rate of requests`, { exitCode: exitCode.unavailable });
    this.retryAfter = retryAfter;
  }
}

/** Strangers ask for more of the chain than this keeper reads for them: what waits already comes first. */
export class RpcBusyError extends AssayError {
  override readonly name: string = "RpcBusyError";

  constructor() {
    super("too many requests of others wait for the chain", {
      exitCode: exitCode.unavailable,
      next: "try again later",
    });
  }
}

type ErrorShape = { code?: unknown; message?: unknown; details?: unknown; cause?: unknown; data?: unknown };

/** The error and its causes, outermost first. */
export function* causesOf(error: unknown): Generator<ErrorShape> {
  let current = error;
  for (let depth = 0; depth < 16 && typeof current === "object" && current !== null; depth++) {
    yield current as ErrorShape;
    current = (current as ErrorShape).cause;
  }
}

/** First error of the given class among an error and its causes: viem wraps what a transport throws. */
export function findCause<T extends Error>(
  error: unknown,
  type: abstract new (...args: never[]) => T,
): T | undefined {
  for (const each of causesOf(error)) if (each instanceof type) return each;
  return undefined;
}

/** Everything that an error and its causes say, for matching what nodes only put into words. */
export function textOf(error: unknown): string {
  return [...causesOf(error)].map(({ message, details }) => `${message ?? ""} ${details ?? ""}`).join(" ");
}

const tooManyResults =
  /more than \d+ (results|logs)|too many (results|logs|blocks)|(block|query|log) range|range (is )?too (large|wide|big)|limit exceeded|exceeds? (the )?(max|limit|range)|response size|query timeout|returned more than|up to a \d+ block/i;

/** Whether an `eth_getLogs` failed because its range holds too much. */
export function isTooManyResults(error: unknown): boolean {
  return tooManyResults.test(textOf(error).replace(new RegExp(rangeMissing, "gi"), ""));
}

/**
 * Whether an error is the chain's own answer (a revert, a nonce that is used up, a bad request), which every honest
 * endpoint would give: asking another one would only hide it.
 */
export function isFinalAnswer(error: unknown): boolean {
  if (error instanceof AssayError) return false;
  const text = textOf(error);
  for (const { code } of causesOf(error)) {
    // -32600 … -32602 malformed, 3 reverted (EIP-1474, geth).
    if (code === 3 || code === -32600 || code === -32602) return true;
    if (code === -32000 || code === -32003 || code === -32603 || code === -32010) {
      return /revert|nonce|underpriced|already known|already imported|insufficient funds|intrinsic gas|gas limit|fee cap|max fee|exceeds block|invalid sender|known transaction|base ?fee|out of gas|gas required/i.test(
        text,
      );
    }
  }
  return isTooManyResults(error);
}

/** geth, Erigon, Nethermind, Besu and Reth, those who build on them, and services in front of them. */
const blockMissing =
  /unknown block|\b(block|header)( (with )?(number|hash|for hash))?( #?\w+)?( is| was)? (not|could not be) found|\b(0x[\da-f]+|\d+) could not be found|missing (block|header)|does not have the requested block|block ?out ?of ?range|invalid block tag|unfinalized data/i;
/** The same of a range of logs whose end they do not have: no smaller range is asked for by that. */
const rangeMissing = /range extends beyond (the )?(current )?head( block)?|invalid block range( params)?/i;
/** Where the block stands among what a method is asked with. */
const placeOfBlock: Readonly<Record<string, number>> = {
  eth_call: 1,
  eth_estimateGas: 1,
  eth_getBalance: 1,
  eth_getCode: 1,
  eth_getTransactionCount: 1,
  eth_getBlockByNumber: 0,
};

function namesBlock({ method, params }: { method: string; params?: unknown }): boolean {
  const asked = Array.isArray(params) ? (params as unknown[]) : [];
  if (method !== "eth_getLogs") return String(asked[placeOfBlock[method] ?? -1]).startsWith("0x");
  const { blockHash, toBlock } = (asked[0] ?? {}) as { blockHash?: unknown; toBlock?: unknown };
  return blockHash !== undefined || String(toBlock).startsWith("0x");
}

/**
 * Whether a node refused what it was asked about a block, named by its number or its hash, because it has no such block: one that
 * is a block behind says so all the time, and is no worse for it.
 */
export function isBlockMissing(request: { method: string; params?: unknown }, error: unknown): boolean {
  if (error instanceof AssayError || !namesBlock(request)) return false;
  const text = textOf(error);
  // A contract words its reasons as it likes.
  const isReverted = /revert/i.test(text) || [...causesOf(error)].some(({ code }) => code === 3);
  return !isReverted && (blockMissing.test(text) || rangeMissing.test(text));
}

const stateGone =
  /missing trie node|archive|pruned|histor(y|ical|ies).*(unavailable|not available|not found|been fully indexed)|state.*(unavailable|not available|not found)|no state available|old data not available|no historical rpc/i;

/** Whether a node refused to say what was in an old block because it keeps the state of newer ones alone. */
export function isStateGone(error: unknown): boolean {
  return stateGone.test(textOf(error));
}

/** Whether a node refused a transaction only because it has it already. */
export function isAlreadyKnown(error: unknown): boolean {
  return /already known|already imported|known transaction|already exists/i.test(textOf(error));
}
