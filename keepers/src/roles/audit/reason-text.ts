import { bytesToString, type Hex, hexToBytes } from "viem";

/** Text of a bytes32 that holds printable ASCII, or its hexadecimal when it does not. */
export function reasonText(reason: Hex): string {
  const bytes = hexToBytes(reason);
  const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const used = bytes.subarray(0, length);
  return used.every((byte) => byte >= 32 && byte <= 126) ? bytesToString(used) : reason;
}
