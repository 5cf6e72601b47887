import { type Network, parseNetwork, refuseKeys } from "./network-file.ts";

/** Longest network file that is read, in characters. */
const longest = 1 << 18;

/**
 * Reads `network.json` beside the page.
 *
 * @throws Error that says what is missing or wrong
 */
export async function loadNetwork(): Promise<Network> {
  const response = await fetch("./network.json", { cache: "no-cache" });
  if (!response.ok) {
    throw new Error(`There is no network.json beside this page (HTTP ${response.status}).`);
  }
  const text = await response.text();
  if (text.length > longest) throw new Error("network.json is too long.");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("network.json is not JSON.");
  }
  return refuseKeys(parseNetwork(value), location.hostname);
}
