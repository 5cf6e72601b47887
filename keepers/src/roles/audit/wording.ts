import { formatUnits } from "viem";

/** Token base units as tokens: "11 tokens". */
export function tokens(amount: bigint): string {
  const text = formatUnits(amount, 18);
  return `${text} ${text === "1" ? "token" : "tokens"}`;
}

/** Wei of the chain's coin. */
export function coins(amount: bigint): string {
  return `${formatUnits(amount, 18)} ETH`;
}

/** An account by its ends. */
export function account(address: string): string {
  return `${address.slice(0, 8)}…${address.slice(-4)}`;
}

/** As {@link account}, where there is little room. */
export function shortAccount(address: string): string {
  return `${address.slice(0, 6)}…${address.slice(-4)}`;
}

/** The last second of the year 9999. */
const lastSecond = 253_402_300_799n;

/** A second since 1970, in UTC: "2026-11-21 16:52:19 UTC". What an endpoint has made up beyond all dates is shown as the number that it is. */
export function instant(timestamp: bigint): string {
  if (timestamp > lastSecond) return `second ${timestamp} since 1970`;
  return `${new Date(Number(timestamp) * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "one event", "7 events" */
export function counted(count: number, noun: string): string {
  return count === 1 ? `one ${noun}` : `${count} ${noun}${/s$|sh$/.test(noun) ? "es" : "s"}`;
}

/** "a", "a and b", "a, b and c" */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** Begins with a capital, unless it begins with an address. */
export function sentence(text: string): string {
  return text.startsWith("0x") ? text : text.slice(0, 1).toUpperCase() + text.slice(1);
}
