import { isIPv6 } from "node:net";
import type { ConnectionGater, Libp2p } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { shareOfStrangers } from "./peer-limits.ts";
import { isPublicAddress, isPublicIp } from "./public-addresses.ts";

/** Connections one peer may hold: a few, for when both sides dial at once or an old one is not known to be dead yet. */
const connectionsPerPeer = 8;
/** Of all connections, the part that one address, or one /64 of IPv6, may hold: keepers stand behind common gateways. */
const shareOfAddress = 1 / 4;

export type GaterParameters = {
  /** The node, once there is one. */
  readonly host: () => Libp2p | undefined;
  readonly maxConnections: number;
  /** Who comes before strangers, which have half of the connections; nobody is a stranger by default. */
  readonly isRegistered?: (peer: string) => boolean;
  /** Whether addresses of this machine and of private networks may be dialled. */
  readonly localNetwork: boolean;
  /** Told what was turned away. */
  readonly onDenied?: (what: "dial" | "connection") => void;
};

/** Decides whom a node dials, and how many connections it takes from one peer and one address. */
export function createGater({
  host,
  maxConnections,
  isRegistered = () => true,
  localNetwork,
  onDenied = () => {},
}: GaterParameters): ConnectionGater {
  const deny = (what: "dial" | "connection", isDenied: boolean): boolean => {
    if (isDenied) onDenied(what);
    return isDenied;
  };
  const mostOfStrangers = Math.max(connectionsPerPeer, Math.floor(maxConnections * shareOfStrangers));
  const isFullOfStrangers = (): boolean => {
    const inbound = host()
      ?.getConnections()
      .filter(({ direction, remotePeer }) => direction === "inbound" && !isRegistered(remotePeer.toString()));
    return (inbound?.length ?? 0) >= mostOfStrangers;
  };
  const mostOfAddress = Math.max(connectionsPerPeer, Math.floor(maxConnections * shareOfAddress));
  return {
    denyDialMultiaddr: (address) => deny("dial", !localNetwork && !isPublicAddress(address)),
    denyInboundConnection: ({ remoteAddr }) => {
      const net = netOf(remoteAddr);
      // On this machine and in private networks addresses say little about who is there.
      if (net === undefined) return false;
      const same = host()
        ?.getConnections()
        .filter((connection) => netOf(connection.remoteAddr) === net);
      return deny("connection", (same?.length ?? 0) >= mostOfAddress);
    },
    denyInboundEncryptedConnection: (peer) =>
      deny(
        "connection",
        (host()?.getConnections(peer).length ?? 0) >= connectionsPerPeer ||
          (!isRegistered(peer.toString()) && isFullOfStrangers()),
      ),
  };
}

/** What connections are counted by: an IPv4 address, or the first 64 bits of an IPv6 one; undefined inside local networks. */
export function netOf(address: Multiaddr): string | undefined {
  const [first] = address.getComponents();
  return first?.value === undefined ? undefined : netOfIp(first.value);
}

/** The same of an IP address; undefined of a name as well. */
export function netOfIp(address: string): string | undefined {
  if (!isPublicIp(address)) return undefined;
  return isIPv6(address) ? first64(address) : address;
}

function first64(address: string): string {
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : 8 - groups.length - after.length;
  return [...groups, ...Array<string>(gap).fill("0"), ...after]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
