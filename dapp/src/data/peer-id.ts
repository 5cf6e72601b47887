import { base58btc } from "multiformats/bases/base58";
import * as digest from "multiformats/hashes/digest";
import { bytesToHex, type Hex, hexToBytes, isHex } from "viem";

/** The text by which keepers print a peer id ("12D3KooW…"), from the multihash that stands on the chain; as it stands where it is none. */
export function peerIdText(bytes: Hex): string {
  try {
    return base58btc.baseEncode(digest.decode(hexToBytes(bytes)).bytes);
  } catch {
    return bytes;
  }
}

type Multihash = ReturnType<typeof digest.decode>;

/** Codes of multihashes: what is in them as it stands, and its hash. */
const [identity, sha256] = [0x00, 0x12];
/** Keys that stand whole in their peer ids, Ed25519 and secp256k1, by what their encoding begins with and its length. */
const wholeKeys = [
  { begins: "0x08011220", length: 36 },
  { begins: "0x08021221", length: 37 },
] as const;

/** The multihash of a peer id that somebody typed, as keepers print it or as it stands on the chain; or what is wrong with it. */
export function readPeerId(text: string): { bytes: Hex } | { problem: string } {
  const typed = text.trim();
  if (typed.startsWith("/"))
    return { problem: "That is an address: the peer id is what stands behind /p2p/ in it" };
  let hash: Multihash;
  try {
    hash = digest.decode(isHex(typed) ? hexToBytes(typed) : base58btc.baseDecode(typed));
  } catch {
    return { problem: "No peer id as keepers print it, 12D3KooW…: some of it is missing or mistyped" };
  }
  return isPeer(hash)
    ? { bytes: bytesToHex(hash.bytes) }
    : { problem: "It names no key: a peer id holds a public key, or the hash of one" };
}

function isPeer({ code, digest: bytes }: Multihash): boolean {
  if (code === sha256) return bytes.length === 32;
  const content = bytesToHex(bytes);
  return (
    code === identity &&
    wholeKeys.some(({ begins, length }) => content.startsWith(begins) && bytes.length === length)
  );
}
