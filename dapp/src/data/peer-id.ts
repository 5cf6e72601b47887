import { base58btc } from "multiformats/bases/base58";
import * as digest from "multiformats/hashes/digest";
import { type Hex, hexToBytes } from "viem";

/** The text by which keepers print a peer id ("12D3KooW…"), from the multihash that stands on the chain; as it stands where it is none. */
export function peerIdText(bytes: Hex): string {
  try {
    return base58btc.baseEncode(digest.decode(hexToBytes(bytes)).bytes);
  } catch {
    return bytes;
  }
}
