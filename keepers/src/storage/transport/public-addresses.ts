import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { BlockList, isIP, isIPv4, isIPv6, type LookupFunction } from "node:net";
import type { Multiaddr } from "@multiformats/multiaddr";
import { isWebSocket } from "./endpoint.ts";

/** IPv4 that is not of the open internet: IANA's special-purpose registry, multicast and what is reserved. */
const closed4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** Within 2000::/3, the one global block of IPv6: what carries IPv4 inside it, benchmarks, examples. */
const closed6: readonly (readonly [string, number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

const closed = new BlockList();
for (const [net, bits] of closed4) closed.addSubnet(net, bits, "ipv4");
for (const [net, bits] of closed6) closed.addSubnet(net, bits, "ipv6");
const global6 = new BlockList();
global6.addSubnet("2000::", 3, "ipv6");

/**
 * Whether an IP address is one of the open internet: not loopback, private, link-local, shared by a carrier (RFC 6598), multicast,
 * reserved, unique local (RFC 4193), or IPv4 in the guise of IPv6.
 */
export function isPublicIp(address: string): boolean {
  if (isIPv4(address)) return !closed.check(address, "ipv4");
  // A zone is of this machine's links.
  if (!isIPv6(address) || address.includes("%")) return false;
  return global6.check(address, "ipv6") && !closed.check(address, "ipv6");
}

/**
 * Whether a keeper may dial an address that somebody else has told it. A name is looked at when it is resolved, by
 * {@link publicLookup}, but for WebSockets, which look names up by themselves: those are for pages.
 */
export function isPublicAddress(address: Multiaddr): boolean {
  const [first] = address.getComponents();
  if (first?.value === undefined) return false;
  if (first.name === "ip4" || first.name === "ip6") return isPublicIp(first.value);
  const isName = first.name === "dns" || first.name === "dns4" || first.name === "dns6";
  return isName && isIP(first.value) === 0 && !isWebSocket(address);
}

/** `dns.lookup`, of which only addresses of the open internet are heard: what a name means may change between look and call. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true } as LookupOptions & { all: true }, (error, found) => {
    if (error !== null) return callback(error, "");
    const open: LookupAddress[] = found.filter(({ address }) => isPublicIp(address));
    const [first] = open;
    if (first === undefined) {
      return callback(new Error(`${hostname} is no address of the open internet`), "");
    }
    if (options.all === true) callback(null, open);
    else callback(null, first.address, first.family);
  });
};
