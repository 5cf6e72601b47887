import { type Abi, type AbiParameter, decodeErrorResult, formatUnits, type Hex, isHex } from "viem";
import { abis } from "./abi/index.ts";
import { causesOf } from "./rpc/errors.ts";

/** Why a contract refused a call. */
export type Revert = {
  /** In the user's words: "window closed (closes at 1700000000)". */
  reason: string;
  /** Name of the custom error; undefined when the contract gave none that is known. */
  errorName?: string;
  args?: readonly unknown[];
  data?: Hex;
};

type ErrorItem = { type: "error"; name: string; inputs: readonly AbiParameter[] };

const errorItems = (): ErrorItem[] => {
  const items = new Map<string, ErrorItem>();
  for (const item of Object.values(abis).flat() as { type: string }[]) {
    if (item.type !== "error") continue;
    const error = item as ErrorItem;
    items.set(`${error.name}(${error.inputs.map(({ type }) => type).join()})`, error);
  }
  return [...items.values()];
};
const errors = errorItems() as unknown as Abi;

/** Panic codes of Solidity (docs.soliditylang.org, "Panic via assert and Error via require"). */
const panics: Record<number, string> = {
  1: "an internal check failed",
  17: "a number overflowed",
  18: "a division by zero",
  33: "a value outside an enumeration",
  49: "an empty list has no last element",
  50: "an index outside a list",
  65: "too much memory was asked for",
};

const tokens = (value: unknown) => `${formatUnits(value as bigint, 18)} tokens`;
const worded: Record<string, (args: readonly unknown[]) => string> = {
  Error: ([text]) => String(text).slice(0, 512),
  Panic: ([code]) => panics[Number(code)] ?? `panic 0x${Number(code).toString(16)}`,
  ERC20InsufficientBalance: ([who, has, needs]) => `${who} holds ${tokens(has)}, ${tokens(needs)} are needed`,
  ERC20InsufficientAllowance: ([who, has, needs]) =>
    `${who} may spend ${tokens(has)} of this account, ${tokens(needs)} are needed: approve it first`,
  AccessManagedUnauthorized: ([who]) => `${who} is not authorised to do this`,
};

const spaced = (name: string) => name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, " ").toLowerCase();

function show(value: unknown): string {
  if (Array.isArray(value))
    return `[${value.slice(0, 8).map(show).join(", ")}${value.length > 8 ? ", …" : ""}]`;
  return String(value).slice(0, 130);
}

function describe(data: Hex): Revert {
  try {
    const decoded = decodeErrorResult({ abi: errors, data });
    const args = (decoded.args ?? []) as readonly unknown[];
    const { inputs } = decoded.abiItem as unknown as ErrorItem;
    const details = args.map((value, i) => `${spaced(inputs[i]?.name || `value ${i + 1}`)} ${show(value)}`);
    const plain = spaced(decoded.errorName) + (details.length > 0 ? ` (${details.join(", ")})` : "");
    return { reason: worded[decoded.errorName]?.(args) ?? plain, errorName: decoded.errorName, args, data };
  } catch {
    return { reason: `the contract gave an unknown reason (${data.slice(0, 10)})`, data };
  }
}

/** Revert data among an error and its causes, wherever the node put it. */
function dataOf(error: unknown): Hex | undefined {
  for (const { data } of causesOf(error)) {
    const inner = typeof data === "object" && data !== null ? (data as { data?: unknown }).data : data;
    if (isHex(inner)) return inner;
  }
  return undefined;
}

/** Why the call behind an RPC error was refused; undefined when the error is not a refusal by the contract. */
export function explainRevert(error: unknown): Revert | undefined {
  const data = dataOf(error);
  if (data !== undefined && data.length >= 10) return describe(data);
  for (const { code, message } of causesOf(error)) {
    if (code === 3 || /revert/i.test(String(message ?? ""))) {
      return { reason: "the contract refused without a reason", data };
    }
  }
  return undefined;
}
