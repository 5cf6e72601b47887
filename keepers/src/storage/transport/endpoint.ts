import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";

/** Bytes that the chain takes of an endpoint. */
const mostBytes = 256;
/** Addresses that are looked at: each one costs whoever dials time. */
const mostAddresses = 4;

/** Whether an address is of a WebSocket, which is what pages can reach. */
export function isWebSocket(address: Multiaddr): boolean {
  return address.getComponents().some(({ name }) => name === "ws" || name === "wss");
}

/**
 * Where a keeper is reached, in the form in which it stands on chain: the first address of a plain connection and the first
 * of a WebSocket, separated by a comma.
 * @returns undefined when it listens nowhere
 */
export function endpointOf(addresses: readonly Multiaddr[]): string | undefined {
  const plain = addresses.find((address) => !isWebSocket(address));
  const web = addresses.find(isWebSocket);
  const both = [plain, web].filter((address) => address !== undefined).map(String);
  const joined = both.join(",");
  return joined.length > mostBytes ? both[0] : joined || undefined;
}

/** The addresses of an endpoint. @throws Error when one is no multiaddr, or there are too many */
export function parseEndpoint(text: string): Multiaddr[] {
  const parts = text.split(",");
  if (parts.length > mostAddresses) throw new Error(`at most ${mostAddresses} addresses`);
  return parts.map((part) => multiaddr(part.trim()));
}
